"""Fetch: the program's instructions in order, whatever the bus width."""

import dataclasses
import random

import pytest

from shiftloom.hw.fetch import Fetch
from shiftloom.isa.config import INSTRUCTION_BYTES, load_config
from tests.support.pysim import receive
from tests.support.stalls import sometimes

TINY = load_config("tiny")
PROGRAM = 0x0FC0


def fetch(simulate, config, memory, length, *, stalls=0.0, bad=(), timeout=10_000):
    """Return the fetched instructions and the bursts that were asked for."""
    dut, received, bursts = Fetch(config), [], []
    bus, hold = config.bus_bytes, sometimes(stalls, 3)

    async def consumer(ctx):
        ctx.set(dut.program_addr, PROGRAM)
        ctx.set(dut.length, length)
        received.extend(await receive(ctx, dut.o, length, sometimes(stalls, 2)))

    async def bus_model(ctx):
        beats = []
        while True:
            ctx.set(dut.burst.ready, not next(hold))
            ctx.set(dut.beat.valid, bool(beats))
            if beats:
                value = int.from_bytes(memory[beats[0] : beats[0] + bus], "little")
                ctx.set(dut.beat.payload, {"data": value, "error": beats[0] in bad})
            burst, beat = dut.burst, dut.beat
            _, _, asked, payload, taken = await ctx.tick().sample(
                burst.valid & burst.ready, burst.payload, beat.valid & beat.ready
            )
            assert taken or not beats, "a beat that was asked for was not taken at once"
            beats = beats[taken:]
            if asked:
                bursts.append((payload.addr, payload.beats))
                beats += range(payload.addr, payload.addr + payload.beats * bus, bus)

    simulate(dut, consumer, background=[bus_model], timeout=timeout)
    return received, bursts


@pytest.mark.parametrize("stalls", [0.0, 0.6])
@pytest.mark.parametrize("length", [1, 45])
@pytest.mark.parametrize("bus_bytes", [4, 16, 32, 64])
@pytest.mark.parametrize("pipeline", [0, 1])
def test_instructions_arrive_in_order(simulate, pipeline, bus_bytes, length, stalls):
    config = dataclasses.replace(TINY, bus_bytes=bus_bytes, burst_beats=16, pipeline=pipeline)
    memory = random.Random(bus_bytes).randbytes(0x2000)
    received, bursts = fetch(simulate, config, memory, length, stalls=stalls)
    end = PROGRAM + length * INSTRUCTION_BYTES
    code = memory[PROGRAM:end]
    assert b"".join(i.bits.to_bytes(INSTRUCTION_BYTES, "little") for i in received) == code
    assert not any(i.error for i in received)
    assert all(addr % 4096 + beats * bus_bytes <= 4096 for addr, beats in bursts)
    assert end <= bursts[-1][0] + bursts[-1][1] * bus_bytes < end + bus_bytes


def test_long_programs_stream_at_the_rate_of_the_bus(simulate):
    memory = random.Random(1).randbytes(PROGRAM + 200 * INSTRUCTION_BYTES + 64)
    received, _ = fetch(simulate, load_config("base"), memory, 200, timeout=2 * 200 + 20)
    code = b"".join(i.bits.to_bytes(INSTRUCTION_BYTES, "little") for i in received)
    assert code == memory[PROGRAM : PROGRAM + len(code)]


@pytest.mark.parametrize("bus_bytes", [4, 8, 32])
def test_error_stays_with_its_instruction(simulate, bus_bytes):
    config = dataclasses.replace(TINY, bus_bytes=bus_bytes)
    bad = {PROGRAM + 5 * INSTRUCTION_BYTES + (4 if bus_bytes == 4 else 0)}
    received, _ = fetch(simulate, config, bytes(0x2000), 9, bad=bad)
    assert [i.error for i in received] == [0, 0, 0, 0, 0, 1, 0, 0, 0]


def test_no_more_is_asked_for_than_has_room(simulate):
    dut, beats = Fetch(TINY), []

    async def check(ctx):
        ctx.set(dut.length, 1000)
        ctx.set(dut.burst.ready, 1)
        for _ in range(200):
            _, _, valid, payload = await ctx.tick().sample(dut.burst.valid, dut.burst.payload)
            if valid:
                beats.append(payload.beats)

    simulate(dut, check)
    assert sum(beats) == 16 * INSTRUCTION_BYTES // TINY.bus_bytes
