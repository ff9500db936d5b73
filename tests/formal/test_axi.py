"""Rules of the buses: what is offered stays, bursts have their beats, an access has one answer."""

from dataclasses import replace

import pytest
from amaranth import Assert, Module, Mux, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from shiftloom.hw.fetch import Fetch
from shiftloom.hw.register_port import RegisterPort
from shiftloom.hw.write_port import WritePort
from shiftloom.isa.config import load_config

from .harness import broken, holds, still
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

#: Bursts of at most four beats, so that whole ones fit into a few cycles.
SHORT = replace(load_config("tiny"), burst_beats=4)


class Written(wiring.Component):
    """The bus's side of a write port, whatever is asked of it; it may be halted at any time.

    ``mark`` chooses any one burst, which is followed: its address and its beats.
    """

    def __init__(self, port=WritePort):
        self.port = port(SHORT)
        super().__init__({**self.port.signature.members, "mark": In(1)})

    def elaborate(self, platform):
        m, port = Module(), self.port
        m.submodules.port = port
        for name in ("burst", "beat", "acknowledge", "aw", "w", "b"):
            connect(m, flipped(getattr(self, name)), getattr(port, name))
        m.d.comb += port.halt.eq(self.halt)
        m.d.comb += Assume((self.burst.p.beats >= 1) & (self.burst.p.beats <= SHORT.burst_beats))
        holds(m, port.aw, Assert, "aw")
        holds(m, port.w, Assert, "w")
        holds(m, port.b, Assume, "b")
        holds(m, port.acknowledge, Assert, "acknowledge", unless=self.halt)
        return m


class Followed(Written):
    """The same, and one burst from where it is asked for to its last beat."""

    def elaborate(self, platform):
        m, port = super().elaborate(platform), self.port
        asked, addressed, finished, position = (Signal(6, name=n) for n in ("a", "d", "f", "p"))
        marked, target, burst = Signal(), Signal(6), Signal.like(self.burst.payload)
        asks = port.burst.valid & port.burst.ready
        addresses, writes = port.aw.valid & port.aw.ready, port.w.valid & port.w.ready
        m.d.sync += [
            asked.eq(asked + asks),
            addressed.eq(addressed + addresses),
            finished.eq(finished + (writes & port.w.p.last)),
        ]
        with m.If(writes):
            m.d.sync += position.eq(position + 1)
            with m.If(port.w.p.last):
                m.d.sync += position.eq(0)
        with m.If(self.mark & asks & ~marked):
            m.d.sync += [marked.eq(1), target.eq(asked), burst.eq(port.burst.payload)]
        length = burst.beats - 1
        with m.If(marked & (addressed == target) & port.aw.valid):
            same = (port.aw.p.addr == burst.addr) & (port.aw.p.len == length)
            m.d.comb += Assert(same, "its address and length")
        with m.If(marked & (finished == target) & port.w.valid):
            m.d.comb += Assert(port.w.p.last == (position == length), "its last beat")
        m.d.comb += [
            Assert(~port.w.valid | (finished != asked), "no beat that belongs to no burst"),
            Cover(marked & (target == 1) & (finished == 1) & writes & (length == 2) & self.halt),
        ]
        return m


class Answered(wiring.Component):
    """A register port, whatever the bus's manager does within its rules."""

    def __init__(self, port=RegisterPort):
        self.port = port()
        super().__init__({"s_axi": self.port.signature.members["s_axi"], "read_data": In(32)})

    def elaborate(self, platform):
        m, port = Module(), self.port
        m.submodules.port = port
        connect(m, flipped(self.s_axi), port.s_axi)
        m.d.comb += port.read_data.eq(self.read_data)
        aw, w, b, ar, r = (getattr(port.s_axi, name) for name in ("aw", "w", "b", "ar", "r"))
        for name, channel in (("aw", aw), ("w", w), ("ar", ar)):
            holds(m, channel, Assume, name)
        for name, channel in (("b", b), ("r", r)):
            holds(m, channel, Assert, name)
        # One access of a kind at a time: asked for, then answered.
        for name, asks, answer in (("write", aw.valid & aw.ready, b), ("read", ar.ready, r)):
            open_ = Signal(name=f"{name}_open")
            taken = asks & (ar.valid if name == "read" else 1)
            m.d.sync += open_.eq(taken | (open_ & ~(answer.valid & answer.ready)))
            m.d.comb += [
                Assert(answer.valid == open_, f"an answer to every {name}, and to nothing else"),
                Assert(~(taken & open_), f"one {name} at a time"),
            ]
        m.d.comb += Assert((aw.valid & aw.ready) == (w.valid & w.ready), "address with its data")
        m.d.comb += Assert(port.write.valid == (aw.valid & aw.ready), "a write takes effect once")
        return m


class Fetched(wiring.Component):
    """Instruction fetch with a program that stays where it is."""

    def __init__(self, block=Fetch):
        self.block = block(SHORT)
        super().__init__(self.block.signature)

    def elaborate(self, platform):
        m, block = Module(), self.block
        m.submodules.block = block
        for name in ("burst", "beat", "o"):
            connect(m, flipped(getattr(self, name)), getattr(block, name))
        for name in ("program_addr", "length"):
            m.d.comb += getattr(block, name).eq(getattr(self, name))
            still(m, getattr(self, name), name)
        due = Signal(range(64))
        asks = block.burst.valid & block.burst.ready
        arrives = block.beat.valid & block.beat.ready
        m.d.sync += due.eq(due + Mux(asks, block.burst.p.beats, 0) - arrives)
        m.d.comb += Assume(~block.beat.valid | (due != 0))
        holds(m, block.beat, Assume, "beat")
        holds(m, block.burst, Assert, "burst")
        holds(m, block.o, Assert, "o")
        return m


def test_what_the_write_port_offers_stays():
    inductive(Written())


@pytest.mark.slow
def test_bursts_have_their_address_and_their_beats():
    bounded(Followed(), 9)
    reaches(Followed(), 10)


def test_accesses_to_registers_have_one_answer():
    inductive(Answered(), 2)


@pytest.mark.slow
def test_what_fetch_offers_stays():
    bounded(Fetched(), 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead", "message"),
    [
        (
            "self.acknowledge.valid.eq(self.b.valid",
            "self.acknowledge.valid.eq(issues",
            "acknowledge",
        ),
        (
            "connect(m, beats.o, flipped(self.w))",
            "m.d.comb += [self.w.valid.eq(beats.o.valid & ~self.halt), beats.o.ready.eq(0)]",
            "w holds",
        ),
    ],
)
def test_what_the_write_port_withdraws_is_found(was, instead, message):
    with pytest.raises(RefutedError, match=message):
        inductive(Written(broken(WritePort, was, instead)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead", "message"),
    [
        ("beats.i.p.last.eq(last)", "beats.i.p.last.eq(position == 3)", "last beat|no burst"),
        (
            "Mux(last, 0, position + 1)",
            "Mux(last & ~self.halt, 0, position + 1)",
            "last beat|no burst",
        ),
        ("length = self.burst.p.beats - 1", "length = self.burst.p.beats", "address and length"),
        ("lengths.o.valid & (self.beat.valid", "(self.beat.valid", "violated"),
    ],
)
def test_beats_of_another_burst_are_found(was, instead, message):
    with pytest.raises(RefutedError, match=message):
        bounded(Followed(broken(WritePort, was, instead)), 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead", "message"),
    [
        ("writes | (answers & ~b.ready)", "writes", "b holds|answer to every write"),
        ("aw.valid & w.valid & ~writes & ~answers", "aw.valid & w.valid & ~writes", "one write"),
        ("aw.valid & w.valid & ~writes", "aw.valid & ~writes", "its data"),
        ("with m.If(reads):", "with m.If(returns):", "r holds"),
        ("ar.valid & ~reads & ~returns", "ar.valid & ~reads", "one read|every read"),
    ],
)
def test_answers_that_are_lost_or_doubled_are_found(was, instead, message):
    with pytest.raises(RefutedError, match=message):
        bounded(Answered(broken(RegisterPort, was, instead)), 8)


@pytest.mark.slow
def test_a_burst_that_fetch_withdraws_is_found():
    was = "self.burst.valid.eq(splitter.o.valid & has_room"
    withdrawn = broken(
        Fetch, was, "self.burst.valid.eq(splitter.o.valid & ~queue.o.valid & has_room"
    )
    with pytest.raises(RefutedError, match="burst holds"):
        bounded(Fetched(withdrawn), 10)
