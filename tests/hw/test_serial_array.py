"""SerialArray: sums of products, tile after tile without a pause."""

import numpy as np
import pytest

from shiftloom.hw.serial_array import SerialArray
from tests.support.serial import SERIAL, WIDE


@pytest.mark.parametrize(("config", "seed"), [(SERIAL, 0), (SERIAL, 1), (WIDE, 2)])
def test_totals_are_sums_of_products(simulate, config, seed):
    dut, rng = SerialArray(config), np.random.default_rng(seed)
    rows, latency = config.rows, SerialArray.latency
    lengths = [2, 5, 3, 9]
    tiles = [rng.integers(-128, 128, (rows, config.columns)) for _ in lengths]
    tiles[0][:] = -128
    operands = [rng.integers(-128, 128, (length, rows)) for length in lengths]
    operands[0][0] = -128  # twice what a pair of rows gives is beyond 16 bits
    starts = np.cumsum([1, *lengths])[:-1]
    wanted = np.concatenate([o @ t for o, t in zip(operands, tiles, strict=True)])
    stream, found = np.concatenate(operands), []

    async def testbench(ctx):
        for cycle in range(1 + len(stream) + latency):
            loads = 0
            for start, tile in zip(starts, tiles, strict=True):
                half = int(cycle - start + 1)  # the first in the cycle before the first operands
                if half in (0, 1):
                    loads |= 1 << half
                    rows_of_half = tile[half * rows // 2 :][: rows // 2].astype(np.int8)
                    words = [int.from_bytes(row.tobytes(), "little") for row in rows_of_half]
                    ctx.set(dut.weights, words)
            ctx.set(dut.loads, loads)
            if 1 <= cycle <= len(stream):
                ctx.set(dut.operands, stream[cycle - 1].tolist())
            if cycle >= 1 + latency:
                found.append([ctx.get(total) for total in dut.totals])
            await ctx.tick()

    simulate(dut, testbench)
    np.testing.assert_array_equal(found, wanted[: len(found)])
    assert len(found) == len(wanted)
