"""WritePort: beats meet their bursts, and an orderly halt."""

import random

import pytest

from shiftloom.hw.axi import OUTSTANDING
from shiftloom.hw.write_port import WritePort
from shiftloom.isa.config import load_config
from tests.support.bus import BusMemory
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes

TINY = load_config("tiny")
BUS = TINY.bus_bytes


def traffic(seed, count):
    """Return bursts that do not overlap, and their beats."""
    rng = random.Random(seed)
    bursts = [{"addr": 128 * n, "beats": rng.randint(1, 16)} for n in rng.sample(range(40), count)]
    beats = [
        {"data": rng.getrandbits(8 * BUS), "strobe": rng.getrandbits(BUS)}
        for burst in bursts
        for _ in range(burst["beats"])
    ]
    return bursts, beats


def written(bursts, beats):
    """Return the memory after the first beats of bursts."""
    memory, rest = bytearray(8192), iter(beats)
    for burst in bursts:
        for n in range(burst["beats"]):
            beat = next(rest, {"data": 0, "strobe": 0})
            for byte in range(BUS):
                if beat["strobe"] >> byte & 1:
                    memory[burst["addr"] + n * BUS + byte] = beat["data"] >> 8 * byte & 0xFF
    return memory


@pytest.mark.parametrize(("stalls", "latency"), [(0.0, 0), (0.0, 40), (0.5, 5)])
def test_memory_gets_the_strobed_bytes(simulate, stalls, latency):
    dut, (bursts, beats) = WritePort(TINY), traffic(1, 20)
    bad, answers = range(1024, 2048), []
    memory = BusMemory(dut, bytearray(8192), BUS, latency=latency, stalls=stalls, bad=bad)

    async def issue(ctx):
        await send(ctx, dut.burst, bursts, sometimes(stalls, 1))

    async def fill(ctx):
        await send(ctx, dut.beat, beats, sometimes(stalls, 2))

    async def listen(ctx):
        answers.extend(await receive(ctx, dut.acknowledge, len(bursts), sometimes(stalls, 3)))
        assert ctx.get(dut.idle)

    simulate(dut, issue, fill, listen, background=[memory.serve])
    assert memory.data == written(bursts, beats)
    assert [a.error for a in answers] == [burst["addr"] in bad for burst in bursts]


@pytest.mark.parametrize("given", [0, 3, 30])
@pytest.mark.parametrize("stalls", [0.0, 0.6])
def test_halt_completes_bursts_without_writing(simulate, stalls, given):
    dut, (bursts, beats) = WritePort(TINY), traffic(2, 8)
    memory = BusMemory(dut, bytearray(8192), BUS, latency=3, stalls=stalls)
    issued = []

    async def issue(ctx):
        for burst in bursts:
            ctx.set(dut.burst.payload, burst)
            ctx.set(dut.burst.valid, 1)
            while True:
                _, _, ready, halt = await ctx.tick().sample(dut.burst.ready, dut.halt)
                if ready or halt:
                    issued.extend([burst] * (ready and not halt))
                    break
        ctx.set(dut.burst.valid, 0)

    async def fill(ctx):
        ctx.set(dut.acknowledge.ready, 1)
        await send(ctx, dut.beat, beats[:given])
        await ctx.tick().repeat(10)
        ctx.set(dut.halt, 1)
        await ctx.tick()
        while not ctx.get(dut.idle):
            await ctx.tick()
        await ctx.tick()
        assert memory.quiet
        before = len(memory.bursts)
        await ctx.tick().repeat(20)
        assert len(memory.bursts) == before

    simulate(dut, issue, fill, background=[memory.serve])
    assert len(issued) == len(memory.bursts)
    assert memory.write_beats == sum(burst["beats"] for burst in issued)
    assert memory.data == written(issued, beats[:given])


def test_bursts_in_flight_are_limited(simulate):
    dut, count = WritePort(TINY), 0

    async def check(ctx):
        nonlocal count
        for port in (dut.aw.ready, dut.w.ready, dut.burst.valid, dut.beat.valid):
            ctx.set(port, 1)
        ctx.set(dut.burst.p.beats, 1)
        for _ in range(3 * OUTSTANDING):
            _, _, ready = await ctx.tick().sample(dut.burst.ready)
            count += ready

    simulate(dut, check)
    assert count == OUTSTANDING
