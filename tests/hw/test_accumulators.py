"""Accumulators: sums that wrap, beside reads of the other half."""

import random

import pytest

from shiftloom.hw.accumulators import Accumulators
from shiftloom.isa.config import load_config

TINY = load_config("tiny")
ROWS, COLUMNS = TINY.rows, TINY.columns


def wrapped(value):
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


@pytest.mark.parametrize("seed", range(2))
def test_sums_match_integers_at_the_shortest_distance(simulate, seed):
    rng = random.Random(seed)
    dut = Accumulators(TINY)
    start = {p: rng.choice([-(1 << 31), (1 << 31) - 1, 0]) for p in range(4)}
    expected = {p: [value] * COLUMNS for p, value in start.items()}
    other = [[rng.randrange(-(1 << 31), 1 << 31) for _ in range(COLUMNS)] for _ in range(4)]
    steps, totals, distance = [], {}, dut.distance(TINY)
    for cycle in range(40):
        overwrite = rng.random() < 0.2
        steps.append({"valid": 1, "half": 0, "pixel": cycle % distance, "overwrite": overwrite})
        for column in range(COLUMNS):
            value = rng.randrange(-(1 << 17), 1 << 17)
            totals[cycle + ROWS + 1 + column, column] = value
            sums = expected[cycle % distance]
            sums[column] = wrapped(value if overwrite else sums[column] + value)

    async def bench(ctx):
        for column in range(COLUMNS):
            for pixel in range(4):
                ctx.set(dut.contents[column][0][pixel], start[pixel])
                ctx.set(dut.contents[column][1][pixel], other[pixel][column])
        ctx.set(dut.read.half, 1)
        for cycle in range(len(steps) + dut.done_latency(TINY)):
            idle = {"valid": 0, "pixel": cycle % distance}
            ctx.set(dut.operation, steps[cycle] if cycle < len(steps) else idle)
            ctx.set(dut.totals, [totals.get((cycle, c), 99) for c in range(COLUMNS)])
            ctx.set(dut.read.pixel, cycle % 4)
            await ctx.tick()
            assert list(ctx.get(dut.read.data)) == other[cycle % 4]
        for pixel, sums in expected.items():
            ctx.set(dut.read.half, 0)
            ctx.set(dut.read.pixel, pixel)
            await ctx.tick()
            ctx.set(dut.read.half, 1)
            assert list(ctx.get(dut.read.data)) == sums

    simulate(dut, bench)


def test_done_follows_the_last_write(simulate):
    dut = Accumulators(TINY)
    done = []

    async def bench(ctx):
        for cycle in range(2 * dut.done_latency(TINY)):
            ctx.set(dut.operation, {"valid": cycle in (0, 1), "last": cycle in (1, 2), "pixel": 5})
            _, _, now = await ctx.tick().sample(dut.done)
            done.append(now)

    simulate(dut, bench)
    assert [n for n, now in enumerate(done) if now] == [1 + dut.done_latency(TINY)]
