"""Accumulators: sums that wrap, beside reads of the other half."""

import random
from dataclasses import replace

import pytest

from shiftloom.hw.accumulators import Accumulators
from shiftloom.hw.mac_column import array_latency
from shiftloom.isa.config import load_config

TINY = load_config("tiny")
COLUMNS = TINY.columns
DEPTHS = pytest.mark.parametrize("config", [TINY, replace(TINY, pipeline=1)], ids=["short", "deep"])


def wrapped(value):
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


@DEPTHS
@pytest.mark.parametrize("seed", range(2))
def test_sums_match_integers_at_the_shortest_distance(simulate, seed, config):
    rng = random.Random(seed)
    dut = Accumulators(config)
    latency, enters, distance = dut.latency(config), array_latency(config), dut.distance(config)
    start = {p: rng.choice([-(1 << 31), (1 << 31) - 1, 0]) for p in range(distance)}
    expected = {p: [value] * COLUMNS for p, value in start.items()}
    other = [[rng.randrange(-(1 << 31), 1 << 31) for _ in range(COLUMNS)] for _ in range(distance)]
    steps, totals = [], {}
    for cycle in range(40):
        overwrite = rng.random() < 0.2
        steps.append({"valid": 1, "half": 0, "pixel": cycle % distance, "overwrite": overwrite})
        for column in range(COLUMNS):
            value = rng.randrange(-(1 << 17), 1 << 17)
            totals[cycle + enters + column, column] = value
            sums = expected[cycle % distance]
            sums[column] = wrapped(value if overwrite else sums[column] + value)

    async def bench(ctx):
        for column in range(COLUMNS):
            for pixel in range(distance):
                ctx.set(dut.contents[column][0][pixel], start[pixel])
                ctx.set(dut.contents[column][1][pixel], other[pixel][column])
        ctx.set(dut.read.half, 1)
        for cycle in range(len(steps) + dut.done_latency(config)):
            idle = {"valid": 0, "pixel": cycle % distance}
            ctx.set(dut.operation, steps[cycle] if cycle < len(steps) else idle)
            ctx.set(dut.totals, [totals.get((cycle, c), 99) for c in range(COLUMNS)])
            ctx.set(dut.read.pixel, cycle % distance)
            await ctx.tick()
            if cycle + 1 >= latency:
                assert list(ctx.get(dut.read.data)) == other[(cycle - latency + 1) % distance]
        for pixel, sums in expected.items():
            ctx.set(dut.read.half, 0)
            ctx.set(dut.read.pixel, pixel)
            await ctx.tick().repeat(latency)
            assert list(ctx.get(dut.read.data)) == sums

    simulate(dut, bench)


@DEPTHS
def test_done_follows_the_last_write(simulate, config):
    dut = Accumulators(config)
    done = []

    async def bench(ctx):
        for cycle in range(2 * dut.done_latency(config)):
            ctx.set(dut.operation, {"valid": cycle in (0, 1), "last": cycle in (1, 2), "pixel": 5})
            _, _, now = await ctx.tick().sample(dut.done)
            done.append(now)

    simulate(dut, bench)
    assert [n for n, now in enumerate(done) if now] == [1 + dut.done_latency(config)]
