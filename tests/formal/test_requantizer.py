"""Requantization is its arithmetic definition, for all sums, parameters, settings and residuals."""

import pytest
from amaranth import Array, Assert, Const, Module, Mux, Signal, signed
from amaranth.hdl import Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw import requantizer
from shiftloom.hw.interfaces import fields_layout
from shiftloom.hw.requantizer import Requantizer, lane_layout
from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Opcode
from shiftloom.isa.requantize import MAX_LEFT_SHIFT, Rounding

from .harness import clamp, delayed, inner, opened, still
from .prove import RefutedError, needs_solver, settled

pytestmark = needs_solver

CONFIG = Config(
    name="two",
    rows=2,
    columns=3,
    bus_bytes=8,
    activation_bytes=256,
    weight_bytes=256,
    parameter_bytes=1024,
    accumulator_pixels=8,
    burst_beats=16,
)


def shift_round(value, amount, rounding):
    """Return the definition in :func:`shiftloom.isa.requantize.shift_round`, for right shifts."""
    floor = value >> amount
    remainder = (value - (floor << amount))[:32]  # amounts are below 32
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


class Requantized(wiring.Component):
    """Compares one lane of a requantizer with the definition, stage by stage.

    The second stage is compared from the value that the first one gave.
    """

    def __init__(self, lane=0):
        self.lane = lane
        super().__init__(
            {
                "value": In(signed(32)),
                "residual": In(8),
                "settings": In(fields_layout(Opcode.VECTOR_REQUANTIZE)),
                "parameters": In(lane_layout()),
            }
        )

    def elaborate(self, platform):
        m, lane = Module(), self.lane
        dut = Requantizer(CONFIG)
        block = opened(m, "dut", dut, platform)
        settings, parameters = self.settings, self.parameters
        m.d.comb += [
            dut.settings.eq(settings),
            dut.parameters[lane].eq(parameters),
            dut.values[lane].eq(self.value),
            dut.residual[8 * lane : 8 * lane + 8].eq(self.residual),
            Assume(settings.threshold_bits == 0),
            Assume((settings.low <= settings.high) & (settings.out_low <= settings.out_high)),
        ]
        still(m, settings, "settings")
        still(m, parameters, "parameters")
        between = inner(block, f"clamped_{lane}")
        first = delayed(m, self._first(), 4, "first")
        second = delayed(m, self._second(m, between), 4, "second")
        m.d.comb += [
            Assert(between == first, "first stage"),
            Assert(dut.codes[lane] == second, "second stage"),
        ]
        return m

    def _first(self):
        settings, parameters = self.settings, self.parameters
        biased = (self.value + parameters.bias)[:32].as_signed()
        rounded = shift_round(biased, parameters.shift, settings.rounding)
        return clamp(rounded, settings.low, settings.high)

    def _second(self, m, between):
        """Return the code; the residual comes a cycle before what it is added to."""
        settings = self.settings
        typed = Mux(settings.residual_unsigned, self.residual, self.residual.as_signed())
        residual = delayed(m, Mux(settings.residual, typed << settings.residual_shift, 0), 1, "r")
        total = Signal(signed(18))
        m.d.comb += total.eq(between + self.parameters.addend + residual)
        shift, most = settings.out_shift, MAX_LEFT_SHIFT
        left = Mux(shift < -most, most, Mux(shift < 0, -shift, 0))[:4]
        right = Mux(shift < 0, 0, shift)[:4]
        scaled = shift_round(total, right, settings.rounding) << left
        return clamp(scaled, settings.out_low, settings.out_high)[:8]


@pytest.mark.slow
def test_both_stages_are_their_definition():
    settled(Requantized(), Requantizer.latency(CONFIG) + 1)


@pytest.mark.slow
def test_ties_that_are_not_even_are_found(monkeypatch):
    def up(self, shifted, settings, drops):
        return shifted[2:].as_signed() + shifted[1]

    monkeypatch.setattr(Requantizer, "_round", up)
    with pytest.raises(RefutedError, match="stage"):
        settled(Requantized(), Requantizer.latency(CONFIG) + 1)


@pytest.mark.slow
def test_a_left_shift_that_is_limited_too_early_is_found(monkeypatch):
    monkeypatch.setattr(requantizer, "MAX_LEFT_SHIFT", 7)
    with pytest.raises(RefutedError, match="second stage"):
        settled(Requantized(), Requantizer.latency(CONFIG) + 1)


@pytest.mark.slow
def test_a_limit_that_is_not_kept_is_found(monkeypatch):
    monkeypatch.setattr(requantizer, "saturate", lambda value, low, high: value)
    with pytest.raises(RefutedError, match="stage"):
        settled(Requantized(), Requantizer.latency(CONFIG) + 1)
