"""Bursts are what AXI4 allows and together are the run, for all addresses and lengths."""

import pytest
from amaranth import Assert, Module, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from shiftloom.hw.burst_splitter import BurstSplitter, run_layout
from shiftloom.isa.config import load_config

from .harness import broken, inner, opened
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

TINY = load_config("tiny")

#: Bytes that a burst must not cross a multiple of (AXI4 specification, A3.4.1).
BOUNDARY = 4096


class Split(wiring.Component):
    """Keeps what is left of a run and claims that each burst is its next part.

    A run of no beats is one burst of none.
    """

    def __init__(self, burst_beats, splitter=BurstSplitter, invariants=True):
        self.burst_beats, self.splitter, self.invariants = burst_beats, splitter, invariants
        run = stream.Signature(run_layout(TINY))
        super().__init__({"i": In(run), "o": Out(run)})

    def elaborate(self, platform):
        m = Module()
        dut = self.splitter(TINY, self.burst_beats)
        block = opened(m, "dut", dut, platform)
        connect(m, flipped(self.i), dut.i)
        connect(m, dut.o, flipped(self.o))
        beat, given, found = exact_log2(TINY.bus_bytes), dut.i.p, dut.o.p
        rest, open_run = Signal(run_layout(TINY)), Signal()
        enters, leaves = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        ends = rest.beats == found.beats
        with m.If(leaves):
            m.d.sync += [
                rest.addr.eq(found.addr + (found.beats << beat)),
                rest.beats.eq(rest.beats - found.beats),
                open_run.eq(~ends),
            ]
        with m.If(enters):
            m.d.sync += [rest.eq(given), open_run.eq(1)]
        m.d.comb += [
            Assume(given.addr[:beat] == 0),
            Assert(~enters | ~open_run | (leaves & ends), "a run is complete before the next"),
            Assert(dut.o.valid == open_run, "bursts come while something is left"),
            Cover(leaves & ends & (found.beats == self.burst_beats), "a run ends in a full burst"),
        ]
        with m.If(dut.o.valid):
            offset = found.addr[: exact_log2(BOUNDARY)]
            m.d.comb += [
                Assert(found.addr == rest.addr, "addresses follow each other"),
                Assert(found.beats <= rest.beats, "no more beats than the run has"),
                Assert(
                    (found.beats != 0) | (rest.beats == 0), "no burst is empty but an empty run"
                ),
                Assert(found.beats <= self.burst_beats, "no burst is too long"),
                Assert(offset + (found.beats << beat) <= BOUNDARY, "no burst crosses 4 KiB"),
                Assert(found.last == (rest.last & ends), "the last burst has the mark"),
                Assert(found.index == rest.index, "bursts have the run's index"),
            ]
        if self.invariants:
            self._invariants(m, block, rest, beat)
        return m

    def _invariants(self, m, block, rest, beat):
        """Claim what induction needs of the registers inside."""
        run, final, busy, held = (inner(block, n) for n in ("run", "final", "busy", "room"))
        room = self.burst_beats - rest.addr[beat : beat + exact_log2(self.burst_beats)]
        with m.If(busy):
            m.d.comb += [
                Assert(run == rest.as_value(), "the register holds what is left"),
                Assert(held == room, "so does the one for the room in its block"),
                Assert(final == (rest.beats <= room), "the last burst is known ahead"),
                Assert(rest.addr[:beat] == 0, "runs are aligned to beats"),
            ]


LENGTHS = [256, *[pytest.param(length, marks=pytest.mark.slow) for length in (16, 512)]]


@pytest.mark.parametrize("burst_beats", LENGTHS)
def test_bursts_are_allowed_and_make_up_the_run(burst_beats):
    design = Split(burst_beats)
    inductive(design)
    reaches(design, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("run.beats <= room + self.burst_beats", "run.beats <= self.burst_beats"),
        ("self.i.p.beats <= self.burst_beats -", "self.i.p.beats < self.burst_beats -"),
        ("run.addr[block:] + 1", "run.addr[block:] + 2"),
        ("run.last & final", "run.last"),
        ("self.o.ready & final)", "self.o.ready)"),
        ("Mux(final, run.beats, room)", "Mux(final, run.beats, self.burst_beats)"),
    ],
)
def test_wrong_bursts_are_found(was, instead):
    with pytest.raises(RefutedError):
        bounded(Split(16, broken(BurstSplitter, was, instead), invariants=False), 5)


def test_bursts_longer_than_the_boundary_are_found():
    with pytest.raises(RefutedError, match="no burst crosses 4 KiB"):
        bounded(Split(2 * BOUNDARY // TINY.bus_bytes), 3)
