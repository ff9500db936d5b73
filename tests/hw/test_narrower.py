"""Narrower and Widener: bytes keep their order, ends and errors their place."""

import random

import pytest

from shiftloom.hw.narrower import Narrower
from shiftloom.hw.widener import Widener
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes


def through(simulate, dut, pieces, count, stalls):
    """Return the payloads that a resizer makes of pieces."""
    received = []

    async def producer(ctx):
        await send(ctx, dut.i, pieces, sometimes(stalls, 1))

    async def consumer(ctx):
        received.extend(await receive(ctx, dut.o, count, sometimes(stalls, 2)))

    simulate(dut, producer, consumer)
    return received


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("ratio", [2, 8])
def test_narrower_gives_lowest_bytes_first(simulate, ratio, stalls):
    rng = random.Random(ratio)
    data = [rng.randrange(1 << 16 * ratio) for _ in range(20)]
    marks = [rng.randrange(2) for _ in data]
    pieces = [{"data": d, "error": k, "last": k} for d, k in zip(data, marks, strict=True)]
    parts = through(simulate, Narrower(2 * ratio, 2), pieces, 20 * ratio, stalls)
    assert [p.data for p in parts] == [d >> 16 * n & 0xFFFF for d in data for n in range(ratio)]
    assert [p.error for p in parts] == [k for k in marks for _ in range(ratio)]
    assert [p.last for p in parts] == [k * (n == ratio - 1) for k in marks for n in range(ratio)]


def test_narrower_drops_the_rest_of_a_piece(simulate):
    dut, received = Narrower(4, 1), []

    async def producer(ctx):
        await send(ctx, dut.i, [{"data": d} for d in (0x04030201, 0x14131211)])

    async def consumer(ctx):
        for drop in (0, 1, 1):
            ctx.set(dut.drop, drop)
            received.extend(await receive(ctx, dut.o, 1))

    simulate(dut, producer, consumer)
    assert [p.data for p in received] == [0x01, 0x02, 0x11]


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("ratio", [1, 2, 8])
def test_widener_gathers_until_full_or_ended(simulate, ratio, stalls):
    rng = random.Random(ratio)
    pieces = [
        {"data": rng.randrange(1 << 16), "error": rng.random() < 0.1, "last": rng.random() < 0.2}
        for _ in range(60)
    ]
    wanted, gathered = [], []
    for piece in pieces:
        gathered.append(piece)
        if piece["last"] or len(gathered) == ratio:
            wanted.append(gathered)
            gathered = []
    results = through(simulate, Widener(2, 2 * ratio), pieces, len(wanted), stalls)
    for result, parts in zip(results, wanted, strict=True):
        present = len(parts)
        value = sum(p["data"] << 16 * n for n, p in enumerate(parts))
        assert result.data & ((1 << 16 * present) - 1) == value
        assert result.present == (1 << present) - 1
        assert result.error == any(p["error"] for p in parts)


def test_widener_takes_one_part_each_cycle(simulate):
    dut, cycles = Widener(1, 4), []

    async def producer(ctx):
        await send(ctx, dut.i, [{"data": n} for n in range(16)])

    async def observer(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(20):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                cycles.append(cycle)

    simulate(dut, producer, observer)
    assert cycles == [3 + dut.latency + 4 * n for n in range(4)]
