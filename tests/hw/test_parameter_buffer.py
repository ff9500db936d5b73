"""ParameterBuffer and the WordBuffers it consists of."""

import random
from dataclasses import replace

import pytest

from shiftloom.hw.interfaces import parameter_latency
from shiftloom.hw.parameter_buffer import ParameterBuffer
from shiftloom.isa.config import load_config

TINY = load_config("tiny")


@pytest.mark.parametrize("pipeline", [0, 1])
def test_eight_writes_make_one_word_of_lanes(simulate, pipeline):
    """A word can be read in the cycle after its last part was written, two later with a pipeline.

    An address takes one of those two cycles itself, the token of the LOAD the other one.
    """
    config = replace(TINY, pipeline=pipeline)
    dut, latency = ParameterBuffer(config), parameter_latency(config)
    rng = random.Random(0)
    bits = 8 * TINY.word_bytes
    parts = {addr: rng.randrange(1 << bits) for addr in rng.sample(range(64), 64)}

    async def bench(ctx):
        ctx.set(dut.write.valid, 1)
        for addr, word in parts.items():
            ctx.set(dut.write.payload, {"addr": addr, "data": word})
            assert ctx.get(dut.write.ready)
            await ctx.tick()
        ctx.set(dut.write.valid, 0)
        ctx.set(dut.write.payload, {"addr": 3, "data": 0})
        for _ in range(pipeline):
            await ctx.tick()
        for addr in (list(parts)[-1] // 8, 7, 0, 3, 5):
            ctx.set(dut.read.addr, addr)
            await ctx.tick().repeat(latency)
            whole = sum(parts[8 * addr + n] << (n * bits) for n in range(8))
            assert ctx.get(dut.read.data) == whole

    simulate(dut, bench)
