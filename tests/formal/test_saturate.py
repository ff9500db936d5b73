"""Saturation is the nearest value within limits, for all values and limits."""

import pytest
from amaranth import Assert, Module, Mux, Signal, signed, unsigned
from amaranth.hdl import Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw.saturate import saturate

from .prove import RefutedError, bounded, needs_solver

pytestmark = needs_solver


def unlimited_below(value, low, high):
    """Forget one limit."""
    return Mux(value > high, high, value)


class Saturated(wiring.Component):
    """Compares what narrows a value with its definition; limits are ordered."""

    def __init__(self, width, limits, narrow=saturate):
        self.narrow = narrow
        super().__init__({"value": In(signed(width)), "low": In(limits), "high": In(limits)})

    def elaborate(self, platform):
        m = Module()
        value, low, high = self.value, self.low, self.high
        expected = Signal(signed(40))
        m.d.comb += expected.eq(Mux(value < low, low, Mux(value > high, high, value)))
        m.d.comb += [
            Assume(low <= high),
            Assert(self.narrow(value, low, high) == expected, "nearest value within limits"),
        ]
        return m


#: As the requantizer has it, at both ends, and others: values narrower and wider than limits.
SIZES = [(33, signed(16)), (27, signed(16)), (8, signed(16)), (18, unsigned(8))]


@pytest.mark.parametrize(("width", "limits"), SIZES, ids=str)
def test_saturation_is_the_nearest_value_within_limits(width, limits):
    bounded(Saturated(width, limits), 1)


def test_a_missing_limit_is_found():
    with pytest.raises(RefutedError, match="nearest value within limits"):
        bounded(Saturated(18, signed(16), unlimited_below), 1)


@pytest.mark.slow
def test_a_limit_taken_for_the_wrong_sign_is_found():
    with pytest.raises(RefutedError):
        bounded(
            Saturated(18, unsigned(8), lambda v, low, high: saturate(v, low, high.as_signed())), 1
        )
