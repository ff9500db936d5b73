"""ReadArbiter: each beat to its owner, and an orderly halt."""

import random

import pytest

from shiftloom.hw.axi import OUTSTANDING
from shiftloom.hw.read_arbiter import ReadArbiter
from shiftloom.isa.config import load_config
from tests.support.bus import BusMemory
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes

TINY = load_config("tiny")
BUS = TINY.bus_bytes


def bursts_of(seed, count):
    """Return random bursts."""
    rng = random.Random(seed)
    return [{"addr": 128 * rng.randrange(32), "beats": rng.randint(1, 16)} for _ in range(count)]


def addresses(bursts):
    """Return the addresses of the beats of bursts."""
    return [burst["addr"] + BUS * n for burst in bursts for n in range(burst["beats"])]


@pytest.mark.parametrize(("stalls", "latency"), [(0.0, 0), (0.0, 40), (0.5, 5)])
def test_beats_reach_whoever_asked(simulate, stalls, latency):
    dut, data = ReadArbiter(TINY), random.Random(1).randbytes(4096 + 128)
    bad = range(1024, 2048)
    memory = BusMemory(dut, bytearray(data), BUS, latency=latency, stalls=stalls, bad=bad)
    testbenches, received = [], {}
    for seed, name in enumerate(("fetch", "load")):
        bursts = bursts_of(seed, 12)
        wanted = len(addresses(bursts))

        async def producer(ctx, name=name, bursts=bursts, seed=seed):
            port = getattr(dut, f"{name}_burst")
            await send(ctx, port, bursts, sometimes(stalls, seed))

        async def consumer(ctx, name=name, count=wanted, seed=seed):
            port = getattr(dut, f"{name}_beat")
            received[name] = await receive(ctx, port, count, sometimes(stalls, seed))

        testbenches += [producer, consumer]
    simulate(dut, *testbenches, background=[memory.serve])
    for seed, name in enumerate(("fetch", "load")):
        wanted = addresses(bursts_of(seed, 12))
        values = [int.from_bytes(data[at : at + BUS], "little") for at in wanted]
        assert [beat.data for beat in received[name]] == values
        assert [beat.error for beat in received[name]] == [at in bad for at in wanted]


def test_fetch_goes_first(simulate):
    dut = ReadArbiter(TINY)

    async def check(ctx):
        ctx.set(dut.fetch_burst.valid, 1)
        ctx.set(dut.load_burst.valid, 1)
        assert ctx.get(dut.fetch_burst.ready)
        assert not ctx.get(dut.load_burst.ready)
        ctx.set(dut.fetch_burst.valid, 0)
        assert ctx.get(dut.load_burst.ready)

    simulate(dut, check)


def test_bursts_in_flight_are_limited(simulate):
    dut, count = ReadArbiter(TINY), 0

    async def check(ctx):
        nonlocal count
        ctx.set(dut.ar.ready, 1)
        ctx.set(dut.load_burst.valid, 1)
        ctx.set(dut.load_burst.p.beats, 1)
        for _ in range(3 * OUTSTANDING):
            _, _, ready = await ctx.tick().sample(dut.load_burst.ready)
            count += ready

    simulate(dut, check)
    assert count == OUTSTANDING


@pytest.mark.parametrize("when", [1, 4, 9, 25, 40])
@pytest.mark.parametrize("stalls", [0.0, 0.6])
def test_halt_completes_what_was_issued_and_no_more(simulate, stalls, when):
    dut = ReadArbiter(TINY)
    memory = BusMemory(dut, bytearray(8192), BUS, latency=6, stalls=stalls)
    bursts = bursts_of(2, 40)

    async def producer(ctx):
        for burst in bursts:
            ctx.set(dut.load_burst.payload, burst)
            ctx.set(dut.load_burst.valid, 1)
            while True:
                _, _, ready, halt = await ctx.tick().sample(dut.load_burst.ready, dut.halt)
                if ready or halt:
                    break
        ctx.set(dut.load_burst.valid, 0)

    async def halter(ctx):
        await ctx.tick().repeat(when)
        ctx.set(dut.halt, 1)
        while not ctx.get(dut.idle):
            await ctx.tick()
            assert not ctx.get(dut.load_beat.valid)
        await ctx.tick()
        assert memory.quiet
        before = len(memory.bursts)
        await ctx.tick().repeat(20)
        assert len(memory.bursts) == before
        assert memory.read_beats == sum(beats for _, beats in memory.bursts)

    simulate(dut, producer, halter, background=[memory.serve])
