"""Streams hold what they offer until it is taken, at all times; queues keep the order."""

import pytest
from amaranth import Assert, Module, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from shiftloom.hw.burst_splitter import BurstSplitter
from shiftloom.hw.narrower import Narrower
from shiftloom.hw.read_arbiter import ReadArbiter
from shiftloom.hw.skid import Skid
from shiftloom.hw.stream_queue import StreamQueue
from shiftloom.hw.widener import Widener
from shiftloom.isa.config import load_config

from .harness import broken, holds, inner, opened
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

TINY = load_config("tiny")


class Surrounded(wiring.Component):
    """A block whose streams in keep the rule; claims that its streams out do.

    Parameters
    ----------
    block : wiring.Component
        Its ports become this design's.
    halting : bool
        Whether beats may be withdrawn when ``halt`` is set; it may be set at any time.
    """

    def __init__(self, block, halting=False):
        self.block, self.halting = block, halting
        super().__init__(block.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = self.block
        for name, member in self.signature.members.items():
            outside, inside = getattr(self, name), getattr(self.block, name)
            if member.is_signature:
                connect(m, flipped(outside), inside)
                statement = Assume if member.flow is In else Assert
                unless = self.halt if self.halting and name.endswith("_beat") else 0
                holds(m, inside, statement, name, unless)
            elif member.flow is In:
                m.d.comb += inside.eq(outside)
            else:
                m.d.comb += outside.eq(inside)
        return m


class Sequence(wiring.Component):
    """Follows any one payload through a queue: it leaves once, unchanged, in its turn.

    ``mark`` chooses the payload; ``ahead`` counts those that are to leave before it.
    """

    def __init__(self, queue, width):
        self.queue = queue
        shape = stream.Signature(width)
        super().__init__({"i": In(shape), "o": Out(shape), "mark": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = self.queue
        connect(m, flipped(self.i), queue.i)
        connect(m, queue.o, flipped(self.o))
        enters, leaves = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
        inside, ahead = Signal(5), Signal(5)
        follows, marked = Signal(), Signal()
        payload = Signal(len(queue.i.payload))
        m.d.sync += inside.eq(inside + enters - leaves)
        with m.If(self.mark & enters & ~marked):
            m.d.sync += [marked.eq(1), follows.eq(1)]
            m.d.sync += [ahead.eq(inside - leaves), payload.eq(queue.i.payload)]
        with m.If(follows & leaves):
            m.d.sync += [ahead.eq(ahead - 1), follows.eq(ahead != 0)]
            m.d.comb += Assert((ahead != 0) | (queue.o.payload == payload), "in its turn")
        m.d.comb += [
            Assert(~queue.o.valid | (inside != 0), "nothing is invented"),
            Cover(follows & leaves & (ahead == 0) & (inside == queue.depth), "from a full queue"),
        ]
        return m


class Flags(wiring.Component):
    """Claims that a queue's flags say what its level does."""

    def __init__(self, queue):
        self.queue = queue
        payload = stream.Signature(queue.shape)
        super().__init__({"i": In(payload), "o": Out(payload)})

    def elaborate(self, platform):
        m = Module()
        block = opened(m, "queue", self.queue, platform)
        connect(m, flipped(self.i), self.queue.i)
        connect(m, self.queue.o, flipped(self.o))
        level, room, waits = (inner(block, name) for name in ("level", "room", "waits"))
        size = self.queue.depth - 1
        m.d.comb += [
            Assert(level <= size, "no more than the memory holds"),
            Assert(room == (level != size), "room"),
            Assert(waits == (level != 0), "something waits"),
        ]
        return m


BLOCKS = {
    "skid": lambda: Skid(8),
    "queue": lambda: StreamQueue(4, 3),
    "narrower": lambda: Narrower(4, 1),
    "widener": lambda: Widener(1, 4),
    "splitter": lambda: BurstSplitter(TINY, 16),
    "arbiter": lambda: ReadArbiter(TINY),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_what_is_offered_stays(name):
    inductive(Surrounded(BLOCKS[name](), halting=name == "arbiter"))


@pytest.mark.parametrize("depth", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_queues_keep_the_order(depth):
    design = Sequence(StreamQueue(4, depth), 4)
    bounded(design, 3 * depth)
    reaches(design, 3 * depth)


@pytest.mark.parametrize("depth", [3, 4, 9, 16])
def test_flags_of_queues_follow_their_level(depth):
    inductive(Flags(StreamQueue(4, depth)))


@pytest.mark.parametrize("was", ["level != size - 1", "level != 1", "waits.eq(1)"])
def test_wrong_flags_are_found(was):
    queue = broken(StreamQueue, was, was.replace("1", "0"))
    with pytest.raises(RefutedError):
        bounded(Flags(queue(4, 3)), 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "block", "sizes", "was", "instead"),
    [
        ("o", Skid, (8,), "(~valid | self.o.ready)", "(~valid | self.o.ready | spare_valid)"),
        ("o", StreamQueue, (4, 3), "waits & (~valid | self.o.ready)", "waits"),
        ("o", Narrower, (4, 1), "self.o.valid & self.o.ready", "self.o.valid"),
        ("o", Widener, (1, 4), "ready.eq(~full | self.o.ready)", "ready.eq(1)"),
        ("o", BurstSplitter, (TINY, 16), "m.If(~busy | self.o.ready)", "m.If(1)"),
        ("beat", ReadArbiter, (TINY,), "beats.o.valid & taken & beats.o.p.last", "beats.o.p.last"),
    ],
)
def test_what_is_withdrawn_or_changed_is_found(name, block, sizes, was, instead):
    design = Surrounded(broken(block, was, instead)(*sizes), halting=block is ReadArbiter)
    with pytest.raises(RefutedError, match=f"{name} holds what it offers"):
        bounded(design, 6)


def test_what_a_full_queue_drops_is_found():
    lossy = broken(StreamQueue, "self.i.ready.eq(room)", "self.i.ready.eq(1)")
    with pytest.raises(RefutedError, match="in its turn"):
        bounded(Sequence(lossy(4, 3), 4), 9)
