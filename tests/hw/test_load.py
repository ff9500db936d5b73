"""Load: words reach their buffers, latency stays hidden, errors keep their index."""

import dataclasses
import random

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib.wiring import connect

from shiftloom.hw.load import Load
from shiftloom.hw.read_arbiter import ReadArbiter
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Buffer, Instruction, Opcode
from shiftloom.isa.registers import Error
from shiftloom.isa.semantics import Machine, execute
from tests.support.bus import BusMemory
from tests.support.pysim import send
from tests.support.stalls import sometimes

TINY = load_config("tiny")
MEMORY = np.random.default_rng(1).integers(0, 256, 1 << 14, np.uint8).tobytes()


def joined(dut, arbiter):
    """Return a design of the engine and the arbiter in front of it."""
    m = Module()
    m.submodules.dut, m.submodules.arbiter = dut, arbiter
    connect(m, dut.burst, arbiter.load_burst)
    connect(m, arbiter.load_beat, dut.beat)
    return m


def jobs_of(config, seed, count):
    """Return random LOAD instructions."""
    rng, align = random.Random(seed), config.align_bytes
    jobs = []
    for _ in range(count):
        words, runs = rng.choice((0, 1, 2, 7, 20)), rng.choice((0, 1, 1, 2, 5))
        pitch = align * -(-max(1, words) * config.word_bytes // align + rng.randrange(2))
        fields = {
            "offset": align * rng.randrange((len(MEMORY) - 6 * pitch) // align),
            "buffer": rng.randrange(3),
            "addr": rng.randrange(64),
            "words": words,
            "runs": runs,
            "memory_pitch": pitch,
            "pitch": rng.randrange(40),
        }
        jobs.append(Instruction(Opcode.LOAD, fields))
    return jobs


def load(simulate, config, jobs, *, stalls=0.0, latency=3, bad=range(0)):
    """Return the writes to each buffer, cycles of the done pulses, failures and the memory."""
    dut = Load(config)
    arbiter = ReadArbiter(config)
    memory = BusMemory(arbiter, bytearray(MEMORY), config.bus_bytes, latency, stalls, 5, bad)
    writes, dones, failures = [], [], []

    async def producer(ctx):
        payloads = [{"index": n, "work": {**j.fields}} for n, j in enumerate(jobs)]
        await send(ctx, dut.job, payloads)

    async def observer(ctx):
        ports = {b: getattr(dut, b.name.lower()) for b in Buffer}
        holds = {b: sometimes(stalls, b) for b in Buffer}
        signals = [s for p in ports.values() for s in (p.valid & p.ready, p.payload)]
        cycle, next_waits = 0, False
        while len(dones) < len(jobs):
            waits = {buffer: next(hold) for buffer, hold in holds.items()}
            if config.pipeline:  # only one may wait, and it is known a cycle before
                waits, next_waits = {Buffer.ACTIVATION: next_waits}, waits[Buffer.ACTIVATION]
                ctx.set(dut.will_wait, next_waits)
            for buffer, port in ports.items():
                ctx.set(port.ready, not waits.get(buffer, False))
            _, _, done, failure, *sampled = await ctx.tick().sample(dut.done, dut.failure, *signals)
            for buffer in Buffer:
                if sampled[2 * buffer]:
                    word = sampled[2 * buffer + 1]
                    writes.append((buffer, word.addr, word.data))
            if done:
                dones.append((cycle, len(writes)))
            if failure.code:
                failures.append((failure.code, failure.index))
            cycle += 1

    simulate(joined(dut, arbiter), producer, observer, background=[memory.serve], timeout=20_000)
    return writes, dones, failures, memory


def words_of(config, job):
    """Return the writes that a job must cause, by its definition."""
    machine = Machine(config, [np.frombuffer(MEMORY, np.uint8)])
    execute(machine, job)
    buffer = Buffer(job["buffer"])
    target = getattr(machine, buffer.name.lower())
    places = [
        job["addr"] + run * job["pitch"] + word
        for run in range(job["runs"])
        for word in range(job["words"])
    ]
    final = {place: int.from_bytes(target[place].tobytes(), "little") for place in places}
    return buffer, places, final


@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("pace", [{"stalls": 0.0, "latency": 20}, {"stalls": 0.5, "latency": 3}])
@pytest.mark.parametrize(
    ("bus_bytes", "name"), [(4, "odd"), (8, "tiny"), (16, "base"), (64, "odd")]
)
def test_words_reach_their_buffers(simulate, name, bus_bytes, pace, pipeline):
    changes = {"bus_bytes": bus_bytes, "burst_beats": 8, "pipeline": pipeline}
    config = dataclasses.replace(load_config(name), **changes)
    jobs = jobs_of(config, bus_bytes, 16)
    writes, dones, failures, _ = load(simulate, config, jobs, **pace)
    start = 0
    for job, (_, end) in zip(jobs, dones, strict=True):
        buffer, places, final = words_of(config, job)
        mine, start = writes[start:end], end
        assert [(b, addr) for b, addr, _ in mine] == [(buffer, addr) for addr in places]
        assert {addr: data for _, addr, data in mine} == final
    assert not failures


@pytest.mark.parametrize("latency", [32, 64])
def test_latency_is_hidden_within_and_between_jobs(simulate, latency):
    config = dataclasses.replace(TINY, bus_bytes=4, burst_beats=16)
    fields = {"words": 100, "runs": 1, "memory_pitch": 512}
    jobs = [Instruction(Opcode.LOAD, {**fields, "offset": 512 * n}) for n in range(4)]
    _, _, _, memory = load(simulate, config, jobs, latency=latency)
    first, last = memory.beat_cycles[0], memory.beat_cycles[-1]
    assert memory.read_beats == 400
    assert last - first == 399
    assert memory.outstanding > latency // 16


def test_short_runs_follow_each_other_at_full_rate(simulate):
    config = dataclasses.replace(load_config("base"), bus_bytes=16)
    fields = {"words": 2, "runs": 60, "memory_pitch": 64, "pitch": 2}
    _, _, _, memory = load(simulate, config, [Instruction(Opcode.LOAD, fields)], latency=16)
    assert memory.read_beats == 120
    assert memory.beat_cycles[-1] - memory.beat_cycles[0] == 119


def test_one_word_each_cycle_from_a_wide_bus(simulate):
    config = dataclasses.replace(TINY, bus_bytes=32)
    _, dones, _, _ = load(simulate, config, [Instruction(Opcode.LOAD, {"words": 80, "runs": 1})])
    assert dones[0][0] <= 80 + 16


@pytest.mark.parametrize("stalls", [0.0, 0.7])
def test_failure_names_its_job(simulate, stalls):
    fields = {"words": 8, "runs": 1}
    jobs = [Instruction(Opcode.LOAD, {**fields, "offset": 64 * n}) for n in range(5)]
    bad = range(64 * 2, 64 * 2 + 8)
    writes, _, failures, _ = load(simulate, TINY, jobs, stalls=stalls, bad=bad)
    assert failures == [(Error.LOAD_BUS, 2)] * 2  # one for each word of the beat
    assert len(writes) == 40
