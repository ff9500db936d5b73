"""WordStage: each access reaches the other side once, and its answer comes back."""

import random

import pytest

from shiftloom.boards.word_stage import WordStage
from tests.boards.test_block_memory import access
from tests.support.pysim import simulate
from tests.support.stalls import sometimes

WORDS = 8


def run(accesses, stall=0.0, seed=0):
    """Return what the accesses gave, and those that took place on the other side."""
    dut, memory = WordStage(), list(range(WORDS))
    given, seen = [], []

    async def host(ctx):
        for address, data in accesses:
            given.append(await access(ctx, dut.bus, 4 * address, data))

    async def other_side(ctx):
        stalls = sometimes(stall, seed)
        while len(given) < len(accesses):
            ready = not next(stalls)
            ctx.set(dut.o.ready, ready)
            addr = ctx.get(dut.o.addr)
            ctx.set(dut.o.read_data, memory[addr % WORDS] if ready else 99)
            if ready and ctx.get(dut.o.valid):
                data = ctx.get(dut.o.write_data) if ctx.get(dut.o.write) else None
                seen.append((addr, data))
                if data is not None:
                    memory[addr] = data
            await ctx.tick()

    simulate(dut, host, other_side)
    return given, seen


@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_accesses_take_place_once_and_in_order(stall):
    rng, memory = random.Random(3), list(range(WORDS))
    accesses = [(rng.randrange(WORDS), rng.choice([None, rng.getrandbits(32)])) for _ in range(40)]
    given, seen = run(accesses, stall)
    assert seen == accesses
    for value, (address, data) in zip(given, accesses, strict=True):
        if data is None:
            assert value == memory[address]
        else:
            memory[address] = data


def test_latency():
    dut, ready = WordStage(), []

    async def drive(ctx):
        ctx.set(dut.bus.valid, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(4):
            ready.append((await ctx.tick().sample(dut.bus.ready))[2])

    simulate(dut, drive)
    assert ready.index(1) == dut.latency
