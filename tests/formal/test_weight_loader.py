"""Tiles of weights follow each other no faster than their words come."""

import pytest
from amaranth import Assert, Module, Mux, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from shiftloom.hw.weight_loader import WeightLoader
from shiftloom.isa.config import load_config

from .harness import broken, inner, opened
from .inside import unnamed
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

TINY = load_config("tiny")


class Spaced(wiring.Component):
    """Claims that tiles' weights are asked for at least as many cycles apart as a tile has rows."""

    def __init__(self, block=WeightLoader):
        self.block = block(TINY)
        super().__init__(self.block.signature)

    def elaborate(self, platform):
        m, block = Module(), self.block
        fragment = opened(m, "block", block, platform)
        for name, member in self.signature.members.items():
            inside, outside = getattr(block, name), getattr(self, name)
            if member.is_signature:
                connect(m, flipped(outside), inside)
            elif member.flow is In:
                m.d.comb += inside.eq(outside)
        rested, pending = Signal(range(TINY.rows + 1), init=TINY.rows), Signal()
        asks = block.pending & ~pending
        m.d.sync += pending.eq(block.pending)
        with m.If(asks):
            m.d.sync += rested.eq(1)
        with m.Elif(rested != TINY.rows):
            m.d.sync += rested.eq(rested + 1)
        reads, words = unnamed(fragment)[0], inner(fragment, "words")
        last = inner(fragment, "last")
        full = rested == TINY.rows
        m.d.comb += [
            Assume(~block.swap | block.pending),
            Assert(reads == (asks | ~full), "words are read from then on"),
            Assert(words == Mux(asks | full, 0, rested), "one each cycle"),
            Assert(last == (reads & (words == TINY.rows - 1)), "the last one is known"),
            Assert(~asks | (rested == TINY.rows), "tiles are asked for in their time"),
            Cover(asks & (rested == TINY.rows) & block.ends, "two tiles as fast as possible"),
        ]
        return m


@pytest.mark.slow
def test_tiles_are_asked_for_in_their_time():
    inductive(Spaced())
    reaches(Spaced(), 10)


@pytest.mark.slow
def test_tiles_that_are_asked_for_too_early_are_found():
    early = broken(WeightLoader, "free = ~self.pending & (~reads | last)", "free = ~self.pending")
    with pytest.raises(RefutedError, match=r"in their time|one each cycle"):
        bounded(Spaced(early), 10)
