"""Requantization is its arithmetic definition, for all sums, parameters, settings and residuals."""

import pytest
from amaranth import Array, Assert, Cat, Const, Module, Mux, Signal, signed
from amaranth.hdl import Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw import requantizer
from shiftloom.hw.interfaces import fields_layout
from shiftloom.hw.requantizer import Requantizer, lane_layout
from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Opcode
from shiftloom.isa.requantize import MAX_LEFT_SHIFT, Rounding

from .prove import Refuted, bounded, needs_solver, settled

pytestmark = needs_solver

CONFIG = Config(
    name="two", rows=2, columns=3, bus_bytes=8, activation_bytes=256, weight_bytes=256,
    parameter_bytes=1024, accumulator_pixels=8, burst_beats=16,
)


def shift_round(value, amount, rounding):
    """Return the definition in :func:`shiftloom.isa.requantize.shift_round`, for right shifts."""
    floor = value >> amount
    remainder = (value - (floor << amount))[: len(value)]
    half = (Const(1, 1) << amount) >> 1
    above, tie = remainder > half, (remainder == half) & (amount != 0)
    up = Array(
        {
            Rounding.HALF_EVEN: above | (tie & floor[0]),
            Rounding.HALF_UP: above | tie,
            Rounding.FLOOR: Const(0, 1),
            Rounding.HALF_AWAY: above | (tie & (value >= 0)),
        }[each]
        for each in Rounding
    )
    return floor + up[rounding]


class Shifted(wiring.Component):
    """Compares the requantizer's shift and rounding, of one width, with their definition."""

    def __init__(self, width, amounts):
        self.width = width
        super().__init__({"value": In(signed(width)), "amount": In(amounts), "rounding": In(2)})

    def elaborate(self, platform):
        m = Module()

        def register(name, width, value):
            signal = Signal(signed(width), name=name)
            m.d.comb += signal.eq(value)
            return signal

        dut = Requantizer(CONFIG)
        m.d.comb += dut.settings.rounding.eq(self.rounding)
        found = dut._round(dut._shift(register, "shifted", self.value, self.amount))
        expected = Signal(signed(self.width + 1))
        m.d.comb += expected.eq(shift_round(self.value, self.amount, self.rounding))
        m.d.comb += Assert(found == expected, "rounded quotient")
        return m
