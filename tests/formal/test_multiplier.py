"""Multipliers give a product two cycles later, as the ECP5's cell by our model of it too."""

from pathlib import Path

import pytest
from amaranth import Assert, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom import boards
from shiftloom.hw.multiplier import Multiplier

from .harness import broken, delayed
from .prove import RefutedError, needs_solver, settled
from .test_bit_count import Ecp5

pytestmark = needs_solver

ON_ECP5 = {"platform": Ecp5(), "cells": Path(boards.__file__).parent / "models_ecp5.v"}
FORMS = pytest.mark.parametrize("form", [{}, ON_ECP5], ids=["generic", "ecp5"])

#: Bits of a factor: the form does not depend on them, and the proof takes longer with each.
WIDTH = 4


class Multiplied(wiring.Component):
    """Compares a multiplier with the product of what it was given."""

    def __init__(self, multiplier=Multiplier):
        self.multiplier = multiplier(WIDTH)
        super().__init__({name: In(signed(WIDTH)) for name in "ab"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.multiplier
        product = Signal(signed(2 * WIDTH))
        m.d.comb += [dut.a.eq(self.a), dut.b.eq(self.b), product.eq(self.a * self.b)]
        expected = delayed(m, product, Multiplier.latency, "expected")
        m.d.comb += Assert(dut.product == expected, "product")
        return m


@FORMS
def test_a_product_comes_two_cycles_later(form):
    settled(Multiplied(), Multiplier.latency, **form)


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("Cat(Const(0, unused), value)", "Cat(value, Const(0, unused))"),
        ('("B", self.b)', '("B", self.a)'),
        ("product[2 * unused :]", "product[2 * unused + 1 :]"),
        ("i_CE0=Const(1)", "i_CE0=Const(0)"),
    ],
)
def test_a_wrong_cell_is_found(was, instead):
    with pytest.raises(RefutedError, match="product"):
        settled(Multiplied(broken(Multiplier, was, instead)), Multiplier.latency, **ON_ECP5)
