"""Carry chains: their ECP5 form is the generic one, and trees of them count all lanes' products."""

import pytest
from amaranth import Assert, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw import and_adder, bit_count, choice_adder
from shiftloom.hw.and_adder import AndAdder
from shiftloom.hw.bit_count import BitCount
from shiftloom.hw.choice_adder import ChoiceAdder

from .prove import RefutedError, bounded, needs_solver, settled

pytestmark = needs_solver


class Ecp5:
    """What elaborate() asks of a platform."""

    family = "ecp5"


#: Yosys' own models of that family's cells.
ON_ECP5 = {"platform": Ecp5(), "cells": "+/ecp5/cells_sim.v"}
LONG = [pytest.mark.slow, pytest.mark.long]
FORMS = pytest.mark.parametrize("form", [{}, ON_ECP5], ids=["generic", "ecp5"])


class Added(wiring.Component):
    """Compares an adder with addition."""

    def __init__(self, width, inverted=False):
        self.width, self.inverted = width, inverted
        super().__init__({name: In(width) for name in "abcd"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder = adder = AndAdder(self.width, self.inverted)
        expected = Signal(self.width)
        c = ~self.c if self.inverted else self.c
        m.d.comb += [getattr(adder, name).eq(getattr(self, name)) for name in "abcd"]
        m.d.comb += [
            expected.eq((self.a & self.b) + (c & self.d)),
            Assert(adder.total == expected, "sum of products"),
        ]
        return m


class Chosen(wiring.Component):
    """Compares an adder of one of two numbers with addition."""

    def __init__(self, width):
        self.width = width
        super().__init__({name: In(width) for name in "abcd"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder = adder = ChoiceAdder(self.width)
        expected = Signal(self.width)
        chosen = (self.b & self.c) | (~self.b & self.d)
        m.d.comb += [getattr(adder, name).eq(getattr(self, name)) for name in "abcd"]
        m.d.comb += [
            expected.eq(self.a + chosen),
            Assert(adder.total == expected, "sum with what is chosen"),
        ]
        return m


class Counted(wiring.Component):
    """Compares a count with the sum of all lanes' products, ``latency`` cycles before."""

    def __init__(self, lanes, latency=None):
        self.lanes = lanes
        self.latency = BitCount.latency(lanes) if latency is None else latency
        super().__init__({"operands": In(lanes), "weights": In(lanes)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.counter = counter = BitCount(self.lanes)
        m.d.comb += [counter.operands.eq(self.operands), counter.weights.eq(self.weights)]
        expected = sum(self.operands[lane] & self.weights[lane] for lane in range(self.lanes))
        for age in range(self.latency):
            earlier = Signal(range(self.lanes + 1), name=f"expected_{age}", reset_less=True)
            m.d.sync += earlier.eq(expected)
            expected = earlier
        m.d.comb += Assert(counter.count + counter.last == expected, "count of products")
        return m


@FORMS
@pytest.mark.parametrize("width", [1, 33])
def test_chains_add_products(width, form):
    bounded(Added(width), 1, **form)
    bounded(Added(width, inverted=True), 1, **form)


@FORMS
@pytest.mark.parametrize("width", [1, 32])
def test_chains_add_what_is_chosen(width, form):
    bounded(Chosen(width), 1, **form)


@FORMS
@pytest.mark.parametrize("longest", [31, 5], ids=["whole", "parted"])
@pytest.mark.parametrize("lanes", [16, pytest.param(32, marks=LONG)])
def test_trees_count_all_lanes(monkeypatch, lanes, longest, form):
    monkeypatch.setattr(bit_count, "_LONGEST", longest)
    settled(Counted(lanes), BitCount.latency(lanes), **form)


def test_a_wrong_table_is_found(monkeypatch):
    monkeypatch.setattr(and_adder, "_AND_AND", and_adder.Const(0x7880, 16))
    with pytest.raises(RefutedError, match="sum of products"):
        bounded(Added(3), 1, **ON_ECP5)


def test_a_wrong_choice_is_found(monkeypatch):
    monkeypatch.setattr(choice_adder, "_A_PLUS_CHOICE", and_adder.Const(0x5966, 16))
    with pytest.raises(RefutedError, match="what is chosen"):
        bounded(Chosen(3), 1, **ON_ECP5)


def test_a_lane_that_is_counted_twice_is_found(monkeypatch):
    threes = BitCount._threes
    monkeypatch.setattr(BitCount, "_threes", lambda self, m, p: threes(self, m, [*p[:-1], p[0]]))
    with pytest.raises(RefutedError, match="count of products"):
        settled(Counted(16), BitCount.latency(16))


@pytest.mark.slow
def test_a_late_count_is_found():
    with pytest.raises(RefutedError, match="count of products"):
        settled(Counted(16, latency=BitCount.latency(16) + 1), BitCount.latency(16) + 1)
