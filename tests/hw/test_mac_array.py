"""MacArray against matrix products, with loads, swaps and operands as close as allowed."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.hw.mac_array import MacArray
from shiftloom.isa.config import load_config

CONFIGS = [load_config("tiny"), load_config("odd")]
CONFIGS.append(replace(CONFIGS[0], name="quick", pipeline=1))


@pytest.mark.parametrize("pixels", [0, 3])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_tiles_back_to_back_match_matrix_products(simulate, config, pixels):
    rows, columns, tiles = config.rows, config.columns, 4
    interval = rows + pixels
    generator = np.random.default_rng(pixels)
    weights = generator.integers(-128, 128, (tiles, rows, columns))
    operands = generator.integers(-128, 128, (tiles * interval, rows))
    weights[0], operands[0] = -128, -128
    dut = MacArray(config)
    totals = []
    first_operand = 2  # the first row of weights enters at cycle 0, the swap follows at once

    async def bench(ctx):
        for cycle in range(first_operand + tiles * interval + dut.latency + columns):
            tile, row = divmod(cycle, interval)
            loads = tile < tiles and row < rows
            ctx.set(dut.load.valid, loads)
            ctx.set(dut.load.row, row if loads else 0)
            ctx.set(dut.load.weights, weights[tile, row].tolist() if loads else [77] * columns)
            ctx.set(dut.swap, cycle % interval == first_operand - 1)
            index = cycle - first_operand
            fed = 0 <= index < len(operands)
            ctx.set(dut.operands, operands[index].tolist() if fed else [55] * rows)
            _, _, now = await ctx.tick().sample(dut.totals)
            totals.append(list(now))

    simulate(dut, bench)
    for index, operand in enumerate(operands):
        ready = first_operand + index + dut.latency
        got = [totals[ready + c][c] for c in range(columns)]
        assert got == (operand @ weights[index // interval]).tolist()
