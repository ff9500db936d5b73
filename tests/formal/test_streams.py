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

from .harness import broken, holds, opened
from .inside import Line, QueueInside
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
    """Records what enters a queue, and claims that it leaves unchanged and in its turn."""

    def __init__(self, queue, width):
        self.queue = queue
        shape = stream.Signature(width)
        super().__init__({"i": In(shape), "o": Out(shape)})

    def elaborate(self, platform):
        m, queue = Module(), self.queue
        fragment = opened(m, "queue", queue, platform)
        connect(m, flipped(self.i), queue.i)
        connect(m, queue.o, flipped(self.o))
        inside = QueueInside(m, fragment, "queue")
        enters, leaves = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
        line = Line(m, inside, leaves, queue.i.payload, "line")
        count = Signal(range(queue.depth + 1))
        m.d.sync += count.eq(count + enters - leaves)
        in_turn = (count != 0) & (queue.o.payload == line.places[0])
        m.d.comb += [
            Assert(~queue.o.valid | in_turn, "in its turn"),
            Assert(inside.count == count, "payloads are counted"),
            Assert(queue.empty == (count == 0), "empty"),
            Cover(leaves & (count == queue.depth), "from a full queue"),
        ]
        for n, (there, payload) in enumerate(inside.waiting):
            expected = line.of_waiting(inside, n)
            m.d.comb += Assert(~there | (payload == expected), f"payload {n} waits in its place")
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


@pytest.mark.parametrize("depth", [3, pytest.param(16, marks=pytest.mark.slow)])
def test_queues_keep_the_order(depth):
    inductive(Sequence(StreamQueue(4, depth), 4))


@pytest.mark.parametrize("depth", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_queues_get_full(depth):
    reaches(Sequence(StreamQueue(4, depth), 4), 3 * depth)


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        *(("level == size - 1", "level == size"), ("level == 1", "level == 2")),
        *(
            ("rises | (w", "(w"),
            ("came.eq(pushes)", "came.eq(0)"),
            ("went.eq(pulls)", "went.eq(0)"),
        ),
    ],
)
def test_wrong_flags_are_found(was, instead):
    queue = broken(StreamQueue, was, instead)
    with pytest.raises(RefutedError):
        bounded(Sequence(queue(4, 3), 4), 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "block", "sizes", "was", "instead"),
    [
        ("o", Skid, (8,), "valid & ~self.o.ready, ", "valid & ~self.o.ready & ~spare_valid, "),
        ("o", StreamQueue, (4, 3), "waits & (~valid | self.o.ready)", "waits"),
        ("o", Narrower, (4, 1), "self.o.valid & self.o.ready", "self.o.valid"),
        ("o", Widener, (1, 4), "else ~full | self.o.ready)", "else 1)"),
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
    with pytest.raises(RefutedError, match=r"turn|place|counted|empty"):
        bounded(Sequence(lossy(4, 3), 4), 9)
