"""Skid: same payloads, full rate, no path from side to side."""

import pytest

from shiftloom.hw.skid import Skid
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes


@pytest.mark.parametrize("source", [0.0, 0.5])
@pytest.mark.parametrize("sink", [0.0, 0.5])
def test_payloads_stay_in_order(simulate, source, sink):
    dut, received = Skid(8), []

    async def producer(ctx):
        await send(ctx, dut.i, range(100), sometimes(source, 1))

    async def consumer(ctx):
        received.extend(await receive(ctx, dut.o, 100, sometimes(sink, 2)))

    simulate(dut, producer, consumer)
    assert received == list(range(100))


def test_latency_and_throughput(simulate):
    dut, valid_cycles = Skid(8), []

    async def producer(ctx):
        await send(ctx, dut.i, range(8))

    async def observer(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(12):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                valid_cycles.append(cycle)

    simulate(dut, producer, observer)
    assert valid_cycles == list(range(dut.latency, dut.latency + 8))


def test_ready_does_not_follow_ready(simulate):
    dut = Skid(8)

    async def check(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(2):
            assert ctx.get(dut.i.ready)
            await ctx.tick()
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.o.ready, 1)
        assert not ctx.get(dut.i.ready)

    simulate(dut, check)
