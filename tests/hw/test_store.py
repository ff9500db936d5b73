"""Store: words reach memory with the right strobes, done means answered."""

import dataclasses
import random

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib.wiring import connect

from shiftloom.hw.store import Store
from shiftloom.hw.write_port import WritePort
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.registers import Error
from shiftloom.isa.semantics import Machine, execute
from tests.support.bus import BusMemory
from tests.support.pysim import send
from tests.support.stalls import sometimes

TINY = load_config("tiny")
SIZE = 1 << 14


def words_of(config):
    """Return the contents of the activation buffer."""
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (config.activation_words, config.word_bytes), np.uint8)


def jobs_of(config, seed, count):
    """Return random STORE instructions."""
    rng, align = random.Random(seed), config.align_bytes
    jobs = []
    for _ in range(count):
        words, runs = rng.choice((0, 1, 2, 7, 20)), rng.choice((0, 1, 1, 2, 5))
        pitch = align * -(-max(1, words) * config.word_bytes // align + rng.randrange(2))
        fields = {
            "offset": align * rng.randrange((SIZE - 6 * pitch) // align),
            "addr": rng.randrange(64),
            "words": words,
            "runs": runs,
            "memory_pitch": pitch,
            "pitch": rng.randrange(40),
        }
        jobs.append(Instruction(Opcode.STORE, fields))
    return jobs


def store(simulate, config, jobs, *, stalls=0.0, latency=3, bad=range(0)):
    """Return the memory model, per done pulse its cycle and open answers, and failures."""
    m = Module()
    m.submodules.dut = dut = Store(config)
    m.submodules.port = port = WritePort(config)
    connect(m, dut.burst, port.burst)
    connect(m, dut.beat, port.beat)
    connect(m, port.acknowledge, dut.acknowledge)
    memory = BusMemory(port, bytearray(SIZE), config.bus_bytes, latency, stalls, 5, bad)
    words = [int.from_bytes(w.tobytes(), "little") for w in words_of(config)]
    dones, failures = [], []

    async def producer(ctx):
        payloads = [{"index": n, "work": {**j.fields}} for n, j in enumerate(jobs)]
        await send(ctx, dut.job, payloads)

    async def buffer(ctx):
        hold, addr = sometimes(stalls, 9), dut.read.addr
        while True:
            ctx.set(addr.ready, not next(hold))
            _, _, reads, at = await ctx.tick().sample(addr.valid & addr.ready, addr.payload)
            ctx.set(dut.read.data, words[at] if reads else 0x5A5A5A5A)

    async def observer(ctx):
        cycle = 0
        while len(dones) < len(jobs):
            _, _, done, failure = await ctx.tick().sample(dut.done, dut.failure)
            if done:
                dones.append(cycle)
            if failure.code:
                failures.append((failure.code, failure.index))
            cycle += 1
        await ctx.tick()
        assert memory.quiet

    background = [memory.serve, buffer]
    simulate(m, producer, observer, background=background, timeout=20_000)
    return memory, dones, failures


@pytest.mark.parametrize(("stalls", "latency"), [(0.0, 20), (0.5, 3)])
@pytest.mark.parametrize(
    ("bus_bytes", "name"), [(4, "odd"), (8, "tiny"), (16, "base"), (64, "odd")]
)
def test_words_reach_memory(simulate, name, bus_bytes, stalls, latency):
    config = dataclasses.replace(load_config(name), bus_bytes=bus_bytes, burst_beats=8)
    jobs = jobs_of(config, bus_bytes, 16)
    machine = Machine(config, [np.zeros(SIZE, np.uint8)])
    machine.activation[:] = words_of(config)
    for job in jobs:
        execute(machine, job)
    memory, _, failures = store(simulate, config, jobs, stalls=stalls, latency=latency)
    assert memory.data == machine.regions[0].tobytes()
    assert not failures


def test_latency_is_hidden_and_done_comes_after_the_answer(simulate):
    config = dataclasses.replace(TINY, bus_bytes=4, burst_beats=16)
    fields = {"words": 100, "runs": 1}
    jobs = [Instruction(Opcode.STORE, {**fields, "offset": 512 * n}) for n in range(4)]
    memory, dones, _ = store(simulate, config, jobs, latency=64)
    assert memory.write_beats == 400
    assert dones[-1] <= 400 + 64 + 16
    assert dones[0] >= 100 + 64


def test_failure_names_its_job(simulate):
    fields = {"words": 8, "runs": 1}
    jobs = [Instruction(Opcode.STORE, {**fields, "offset": 64 * n}) for n in range(5)]
    _, _, failures = store(simulate, TINY, jobs, bad=range(64 * 3, 64 * 3 + 8))
    assert failures == [(Error.STORE_BUS, 3)]
