"""Emission against ranges."""

import random

import pytest

from shiftloom.hw.emission import Emission
from shiftloom.isa.config import load_config

TINY = load_config("tiny")


@pytest.mark.parametrize("seed", range(6))
def test_columns_and_addresses_match_ranges(simulate, seed):
    rng = random.Random(seed)
    rows, columns, first, period = 3, rng.randint(1, 9), rng.randrange(7), rng.randint(1, 4)
    strides = [rng.randint(-50, 50) for _ in range(4)]
    starts = [rng.randrange(TINY.activation_words) for _ in range(2)]
    job = {
        "loops": {
            "emit_first": first,
            "emit_period": period,
            "write_row_stride": strides[0],
            "write_stride": strides[1],
        },
        "requantize": {"residual_row_stride": strides[2], "residual_stride": strides[3]},
        "work": {"write_addr": starts[0], "residual_addr": starts[1]},
    }
    dut = Emission(TINY)

    async def bench(ctx):
        ctx.set(dut.following, job)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.following, {})
        ctx.set(dut.job, job)
        for row in range(rows):
            emitted = range(first, columns, period)
            for column in range(columns):
                ctx.set(dut.row_ends, column == columns - 1)
                for _ in range(rng.randrange(3)):
                    await ctx.tick()
                assert ctx.get(dut.emits) == (column in emitted)
                if column in emitted:
                    index = emitted.index(column)
                    for n, addr in enumerate((dut.write_addr, dut.residual_addr)):
                        exact = starts[n] + row * strides[2 * n] + index * strides[2 * n + 1]
                        assert ctx.get(addr) == exact % TINY.activation_words
                ctx.set(dut.column_ends, 1)
                await ctx.tick()
                ctx.set(dut.column_ends, 0)

    simulate(dut, bench)
