"""Compute against the meaning of MAC and VECTOR."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth import ResetInserter, Signal

from shiftloom.hw.compute import Compute
from shiftloom.hw.interfaces import read_latency
from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Opcode, VectorSource
from shiftloom.isa.semantics import execute
from tests.support.jobs import Jobs, payload, random_machine, written_bytes
from tests.support.pysim import send
from tests.support.stalls import sometimes

TINY = Config(
    name="tiny",
    rows=4,
    columns=4,
    bus_bytes=8,
    activation_bytes=1024,
    weight_bytes=1024,
    parameter_bytes=8192,
    accumulator_pixels=29,
    activation_banks=2,
    burst_beats=16,
)
ODD = Config(
    name="odd",
    rows=6,
    columns=10,
    bus_bytes=8,
    activation_bytes=3840,
    weight_bytes=5376,
    parameter_bytes=32768,
    accumulator_pixels=29,
    vector_taps=2,
    burst_beats=16,
    threshold_bits=3,
)
PLAIN = Config(
    name="plain",
    rows=2,
    columns=3,
    bus_bytes=8,
    activation_bytes=1024,
    weight_bytes=512,
    parameter_bytes=8192,
    accumulator_pixels=29,
    vector_taps=1,
    activation_banks=8,
    burst_beats=16,
    threshold_bits=0,
)
BITS = Config(
    name="bits",
    rows=7,
    columns=8,
    bus_bytes=8,
    activation_bytes=3072,
    weight_bytes=4096,
    parameter_bytes=32768,
    accumulator_pixels=29,
    burst_beats=16,
    bit_lanes=64,
)
DEEP = [
    pytest.param(replace(config, name=f"deep_{config.name}", pipeline=1), marks=pytest.mark.slow)
    for config in (ODD, PLAIN, BITS)
]
CONFIGS = pytest.mark.parametrize("config", [TINY, ODD, PLAIN, BITS, *DEEP], ids=lambda c: c.name)


def number(word):
    return int.from_bytes(word.tobytes(), "little")


async def read_word(ctx, port, addr, config):
    """Read a word of the activation buffer."""
    ctx.set(port.addr.valid, 1)
    ctx.set(port.addr.payload, addr)
    await ctx.tick().until(port.addr.ready)
    ctx.set(port.addr.valid, 0)
    for _ in range(read_latency(config) - 1):
        await ctx.tick()
    return ctx.get(port.data)


async def fill(ctx, port, words):
    """Write words to a buffer from its first address on."""
    await send(ctx, port, [{"addr": n, "data": number(word)} for n, word in enumerate(words)])


class Bench:
    """A machine and the hardware that should equal it.

    Jobs are offered once as many jobs of each engine are complete as they wait for.
    """

    def __init__(self, machine, steps):
        self.machine = machine
        self.steps = steps  # (job, MAC jobs to wait for, VECTOR jobs to wait for)
        self.dut = Compute(machine.config)
        self.done = {Opcode.MAC: 0, Opcode.VECTOR: 0}
        self.writes = []
        self.filled = False

    def producer(self, opcode, port):
        steps = [step for step in self.steps if step[0][-1].opcode is opcode]

        async def produce(ctx):
            while not self.filled:
                await ctx.tick()
            for index, (job, macs, vectors) in enumerate(steps):
                while self.done[Opcode.MAC] < macs or self.done[Opcode.VECTOR] < vectors:
                    await ctx.tick()
                await send(ctx, port, [payload(index, job)])
            while self.done[opcode] < len(steps):
                await ctx.tick()

        return produce

    async def observer(self, ctx):
        trace = self.dut.trace_write
        signals = self.dut.mac_done, self.dut.vector_done, trace.valid, trace.addr, trace.data
        while True:
            _, _, mac, vector, valid, addr, data = await ctx.tick().sample(*signals)
            self.done[Opcode.MAC] += mac
            self.done[Opcode.VECTOR] += vector
            if valid:
                self.writes.append((addr, data))

    async def filler(self, ctx):
        machine, dut = self.machine, self.dut
        await fill(ctx, dut.load_activation, machine.activation)
        await fill(ctx, dut.load_weight, machine.weight)
        used = machine.parameter[: 8 * self.used_parameters]
        await fill(ctx, dut.load_parameter, used)
        self.filled = True

    def run(self, simulate, jobs, *others):
        """Run everything; return the activation buffer of the hardware, and expected writes."""
        self.used_parameters = jobs.parameters.used
        dut, result = self.dut, []
        producers = (
            self.producer(Opcode.MAC, dut.mac_job),
            self.producer(Opcode.VECTOR, dut.vector_job),
        )

        async def reader(ctx):
            goal = {o: sum(s[0][-1].opcode is o for s in self.steps) for o in self.done}
            while self.done != goal:
                await ctx.tick()
            port, words = dut.store_read, len(self.machine.activation)
            for addr in range(words):
                result.append(await read_word(ctx, port, addr, self.machine.config))

        testbenches = self.filler, *producers, reader, *others
        simulate(dut, *testbenches, background=[self.observer], timeout=60_000)
        writes = []
        for job, _, _ in self.steps:
            for instruction in job:
                written = execute(self.machine, instruction)
            if written is not None:
                words = written_bytes(self.machine, job[-1], written)
                writes += zip(written.tolist(), map(number, words), strict=True)
        return result, writes

    def check(self, simulate, jobs, *others):
        result, writes = self.run(simulate, jobs, *others)
        assert self.writes == writes
        assert result == [number(word) for word in self.machine.activation]


@CONFIGS
@pytest.mark.parametrize("seed", range(2))
def test_jobs_one_by_one_match_semantics(simulate, config, seed):
    machine = random_machine(config, seed)
    jobs = Jobs(machine, seed)
    rng = random.Random(seed)
    steps, done = [], [0, 0]
    for index in range(12):
        if index % 3 == 0:
            steps.append((jobs.mac(blocks=1, groups=1), *done))
            done[0] += 1
        else:
            read, write = jobs.halves if rng.randrange(2) else jobs.halves[::-1]
            steps.append((jobs.vector(read, write), *done))
            done[1] += 1
    Bench(machine, steps).check(simulate, jobs)


def test_windows_of_sixteen_kernel_steps_match_semantics(simulate):
    machine = random_machine(TINY, 0)
    jobs = Jobs(machine, 0)
    shape = {"source": VectorSource.ACTIVATION, "columns": 6, "rows": 2}
    kernels = [(16, 1), (1, 16), (4, 4)]
    fixed = [{"kernel_rows": r, "kernel_columns": c, **shape} for r, c in kernels]
    steps = [(jobs.vector(*jobs.halves, window=True, **f), 0, n) for n, f in enumerate(fixed)]
    Bench(machine, steps).check(simulate, jobs)


@CONFIGS
@pytest.mark.parametrize("seed", range(2))
def test_overlapping_jobs_match_semantics(simulate, config, seed):
    machine = random_machine(config, seed)
    jobs = Jobs(machine, seed)
    read, write = jobs.halves
    steps = []
    for index in range(5):
        half = index % 2
        steps.append((jobs.mac(read, half=half, groups=1), 0, max(0, 2 * (index - 1))))
        drain = {"source": VectorSource.ACCUMULATOR, "half": half}
        steps.append((jobs.vector(read, write, **drain), index + 1, 0))
        steps.append((jobs.vector(read, write, source=VectorSource.ACTIVATION), 0, 0))
    bench = Bench(machine, steps)
    loads = []

    async def loader(ctx):  # writes what is there already
        while not bench.filled:
            await ctx.tick()
        words = [{"addr": n, "data": number(machine.activation[n])} for n in read] * 2
        await send(ctx, bench.dut.load_activation, words, sometimes(0.4, seed))
        loads.append(len(words))

    async def storer(ctx):
        while not bench.filled:
            await ctx.tick()
        port, rng = bench.dut.store_read, random.Random(seed)
        for _ in range(100):
            addr = rng.choice(read)
            assert await read_word(ctx, port, addr, config) == number(machine.activation[addr])
            for _ in range(rng.randrange(3)):
                await ctx.tick()

    before = machine.activation.copy()
    bench.check(simulate, jobs, loader, storer)
    assert loads
    assert np.array_equal(before[read[0] : read[-1] + 1], machine.activation[: len(read)])


@pytest.mark.parametrize(("array", "cycles"), [(True, 3), (True, 30), (False, 12), (False, 13)])
def test_a_reset_forgets_jobs_but_not_buffers(simulate, array, cycles):
    machine = random_machine(TINY, 1)
    jobs = Jobs(machine, 1)
    inside = {"y": 0, "x": 0, "height": 4000, "width": 4000}
    fixed = {"rows": 3, "columns": 5, "half": 0, "pixel": 4, "residual": 1, **inside}
    mac = jobs.mac(jobs.halves[0], accumulate=0, kernel_rows=3, **fixed)
    fixed |= {"kernel_rows": 1, "kernel_columns": 1, "emit_first": 0, "emit_period": 1}
    fixed |= {"operation": 0, "low": -(1 << 15), "high": (1 << 15) - 1}
    fixed |= {"out_low": -256, "out_high": 255, "out_shift": 4}
    taps, drain = (
        jobs.vector(*jobs.halves, window=False, source=source, **fixed)
        for source in (VectorSource.ACTIVATION, VectorSource.ACCUMULATOR)
    )
    bench = Bench(machine, [(mac, 0, 0), (taps, 0, 0), (drain, 1, 1)])
    dut, reset, fill_all = bench.dut, Signal(), bench.filler
    bench.dut = ResetInserter(reset)(dut)

    async def interrupted(ctx):
        bench.used_parameters = jobs.parameters.used
        await fill_all(ctx)
        bench.filled = False
        await send(ctx, dut.mac_job, [payload(0, mac)] * array)
        await send(ctx, dut.vector_job, [payload(0, taps)])
        await ctx.tick().repeat(cycles)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        bench.done = dict.fromkeys(bench.done, 0)
        bench.writes.clear()
        bench.filled = True

    bench.filler = interrupted
    bench.check(simulate, jobs)
