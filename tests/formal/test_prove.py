"""The prover itself: it finds what is wrong, and nothing where nothing is asked."""

import pytest
from amaranth import Assert, Module, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .prove import RefutedError, bounded, inductive, needs_solver, reaches, settled
from .solve import UndecidedError

pytestmark = needs_solver


class Counter(wiring.Component):
    """Counts to a limit and starts again; claims never to be at a number."""

    def __init__(self, limit, never, assumed=True):
        self.limit, self.never, self.assumed = limit, never, assumed
        super().__init__({"enable": In(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(4)
        with m.If(self.enable):
            m.d.sync += count.eq(count + 1)
            with m.If(count == self.limit):
                m.d.sync += count.eq(0)
        m.d.comb += [
            Assert(count != self.never, "never there"),
            Cover(count == self.limit, "limit"),
            Assume(self.assumed),
        ]
        return m


def test_bounded_proofs_end_at_their_depth():
    bounded(Counter(15, never=9), 9)
    with pytest.raises(
        RefutedError, match=r"(?s)violated in cycle 9: never there.*count .* 8 +9\n +enable( +1){9}"
    ):
        bounded(Counter(15, never=9), 10)


def test_induction_is_not_bounded():
    with pytest.raises(RefutedError):
        inductive(Counter(5, never=9))  # holds, but 8 is followed by 9: it takes six cycles to see
    inductive(Counter(5, never=6))
    with pytest.raises(RefutedError):
        inductive(Counter(6, never=6))


def test_settled_proofs_start_anywhere():
    with pytest.raises(RefutedError, match="cycle 3"):
        settled(Counter(5, never=6), 3)


def test_covers_are_reached_or_not():
    reaches(Counter(5, never=0), 6)
    with pytest.raises(RefutedError, match="not reached in 5 cycles: limit"):
        reaches(Counter(5, never=0), 5)


def test_cases_are_asked_one_by_one():
    bounded(Counter(5, never=2), 9, cases=[{"enable": 0}])
    with pytest.raises(RefutedError):
        bounded(Counter(5, never=2), 9, cases=[{"enable": 0}, {"enable": 1}])


def test_void_questions_are_refused():
    with pytest.raises(UndecidedError, match="no run satisfies"):
        bounded(Counter(5, never=2, assumed=False), 9)

    class Silent(wiring.Component):
        def __init__(self):
            super().__init__({"enable": In(1)})

        def elaborate(self, platform):
            m = Module()
            m.d.sync += Signal(name="kept").eq(self.enable)
            return m

    for ask in (bounded, reaches):
        with pytest.raises(UndecidedError, match="nothing is"):
            ask(Silent(), 3)
