"""Counts of work are right at all times for engines that complete only what was issued."""

import pytest
from amaranth import Assert, Module, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw.tokens import COUNT_BITS, Tokens
from shiftloom.isa.instructions import ENGINES

from .harness import broken, inner, opened
from .prove import RefutedError, inductive, needs_solver, reaches

pytestmark = needs_solver

#: Pieces of work that an engine and its queue may hold in these proofs.
MOST = 63


class Counted(wiring.Component):
    """Counts the same pulses with room to spare, and claims that nothing is lost."""

    def __init__(self, tokens=Tokens, most=MOST):
        self.tokens, self.most = tokens, most
        count = len(ENGINES)
        super().__init__({"issued": In(count), "done": In(count)})

    def elaborate(self, platform):
        m = Module()
        dut = self.tokens()
        block = opened(m, "dut", dut, platform)
        m.d.comb += [dut.issued.eq(self.issued), dut.done.eq(self.done)]
        highest, idle = (1 << COUNT_BITS) - 1, 1
        for engine in ENGINES:
            name = engine.name.lower()
            held, total = Signal(8, name=f"held_{name}"), Signal(COUNT_BITS + 1, name=f"all_{name}")
            issued, done, completed = self.issued[engine], self.done[engine], dut.completed[engine]
            m.d.sync += held.eq(held + issued - done)
            with m.If(done & (total < highest)):
                m.d.sync += total.eq(total + 1)
            idle &= held == 0
            outstanding = inner(block, f"outstanding_{name}")
            m.d.comb += [
                Assume(~done | (held != 0)),
                Assume(~issued | done | (held < self.most)),
                Assert(completed == total, "completed work is counted up to the highest count"),
                Assert(outstanding == held, "outstanding work is counted"),
                Assert(held <= self.most, "what is assumed bounds the work inside"),
            ]
        m.d.comb += [
            Assert(dut.idle == idle, "idle exactly if no work is left"),
            Cover(dut.idle & (dut.completed[0] == 3), "idle again"),
        ]
        return m


def test_counts_are_right_for_ever():
    inductive(Counted())
    reaches(Counted(), 6)


def test_one_more_piece_of_work_would_be_lost():
    with pytest.raises(RefutedError, match=r"outstanding|idle"):
        inductive(Counted(most=MOST + 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("outstanding + issued - done", "outstanding + (issued & ~done)"),
        ("m.If(done & ~completed.all())", "m.If(done)"),
        ("idle[0] & idle[1] & idle[2] & idle[3]", "idle[0] & idle[1] & idle[2]"),
    ],
)
def test_wrong_counts_are_found(was, instead):
    with pytest.raises(RefutedError):
        inductive(Counted(broken(Tokens, was, instead)))
