"""BurstSplitter: bursts cover runs, and obey the bus."""

import random

import pytest

from shiftloom.hw.burst_splitter import BurstSplitter
from shiftloom.isa.config import load_config
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes

TINY = load_config("tiny")
BUS = TINY.bus_bytes


def bursts_of(addr, beats, longest):
    """Return the bursts of one run."""
    result = []
    while True:
        now = min(beats, longest - addr // BUS % longest)
        result.append((addr, now))
        addr, beats = addr + now * BUS, beats - now
        if not beats:
            return result


def split(simulate, runs, longest, stalls):
    """Return the bursts that the component makes of runs."""
    dut, received = BurstSplitter(TINY, longest), []
    count = sum(len(bursts_of(run["addr"], run["beats"], longest)) for run in runs)

    async def producer(ctx):
        await send(ctx, dut.i, runs, sometimes(stalls, 1))

    async def consumer(ctx):
        received.extend(await receive(ctx, dut.o, count, sometimes(stalls, 2)))

    simulate(dut, producer, consumer, timeout=4000)
    return received


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("longest", [1, 16, 256])
def test_bursts_cover_runs_and_cross_no_boundary(simulate, longest, stalls):
    rng = random.Random(longest)
    runs = [
        {
            "addr": BUS * rng.randrange((1 << 32) // BUS - 2000),
            "beats": rng.choice((0, 1, longest, rng.randrange(1, 20), rng.randrange(1, 60))),
            "index": n,
            "last": rng.randrange(2),
        }
        for n in range(20)
    ]
    bursts = split(simulate, runs, longest, stalls)
    wanted = [(*b, r["index"]) for r in runs for b in bursts_of(r["addr"], r["beats"], longest)]
    assert [(b.addr, b.beats, b.index) for b in bursts] == wanted
    assert all(b.addr % 4096 + b.beats * BUS <= 4096 for b in bursts)
    ends = {r["index"]: r["last"] for r in runs}
    following = [*(b.index for b in bursts[1:]), None]
    assert [b.last for b in bursts] == [
        ends[b.index] * (b.index != after) for b, after in zip(bursts, following, strict=True)
    ]


def test_one_burst_each_cycle(simulate):
    dut, cycles = BurstSplitter(TINY, 4), []

    async def producer(ctx):
        await send(ctx, dut.i, [{"addr": 64 * n, "beats": beats} for n, beats in enumerate((1, 9))])

    async def observer(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(10):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                cycles.append(cycle)

    simulate(dut, producer, observer)
    assert cycles == list(range(dut.latency, dut.latency + 4))
