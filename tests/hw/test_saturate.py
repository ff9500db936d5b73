"""Saturation against Python's own comparisons."""

import pytest
from amaranth import Const, Module, Signal, signed, unsigned

from shiftloom.hw.saturate import saturate


@pytest.mark.parametrize("width", [3, 4, 5, 8])
@pytest.mark.parametrize(
    ("low", "high", "shape"),
    [(-3, 2, signed(3)), (-8, 7, signed(4)), (0, 3, unsigned(2)), (2, 7, unsigned(3))],
)
def test_all_values_match_min_and_max(simulate, low, high, shape, width):
    m = Module()
    value, result = Signal(signed(width)), Signal(signed(12))
    m.d.comb += result.eq(saturate(value, Const(low, shape), Const(high, shape)))
    m.d.sync += Signal().eq(1)  # so that there is a clock

    async def bench(ctx):
        for number in range(-(1 << (width - 1)), 1 << (width - 1)):
            ctx.set(value, number)
            assert ctx.get(result) == min(max(number, low), high)

    simulate(m, bench)
