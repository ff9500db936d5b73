"""SerialArray: sums of products, tile after tile without a pause."""

import numpy as np
import pytest

from shiftloom.hw.serial_array import SerialArray
from tests.support.serial import SERIAL


@pytest.mark.parametrize("seed", range(2))
def test_totals_are_sums_of_products(simulate, seed):
    dut, rng = SerialArray(SERIAL), np.random.default_rng(seed)
    rows, latency = SERIAL.rows, SerialArray.latency(SERIAL)
    lengths = [4, 5, 4, 9]
    tiles = [rng.integers(-128, 128, (rows, SERIAL.columns)) for _ in lengths]
    tiles[0][:] = -128
    operands = [rng.integers(-128, 128, (length, rows)) for length in lengths]
    operands[0][0] = -128
    starts = np.cumsum([1, *lengths])[:-1]
    wanted = np.concatenate([o @ t for o, t in zip(operands, tiles, strict=True)])
    stream, found = np.concatenate(operands), []

    async def testbench(ctx):
        for cycle in range(1 + len(stream) + latency):
            loads = 0
            for start, tile in zip(starts, tiles, strict=True):
                row = int(cycle - start + 1)  # row 0 in the cycle before the first operands
                if 0 <= row < rows:
                    loads |= 1 << row
                    bytes_ = tile[row].astype(np.int8).tobytes()
                    ctx.set(dut.weights, int.from_bytes(bytes_, "little"))
            ctx.set(dut.loads, loads)
            if 1 <= cycle <= len(stream):
                ctx.set(dut.operands, stream[cycle - 1].tolist())
            if cycle >= 1 + latency:
                found.append([ctx.get(total) for total in dut.totals])
            await ctx.tick()

    simulate(dut, testbench)
    np.testing.assert_array_equal(found, wanted[: len(found)])
    assert len(found) == len(wanted)
