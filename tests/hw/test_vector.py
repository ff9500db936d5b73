"""Vector: when it takes words, when it is done; Compute's tests say what it makes of them."""

from dataclasses import replace

import pytest
from amaranth import Elaboratable, Module
from amaranth.lib.wiring import connect

from shiftloom.hw.activation_buffer import ActivationBuffer
from shiftloom.hw.parameter_buffer import ParameterBuffer
from shiftloom.hw.vector import Vector
from shiftloom.isa import timing
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import VectorSource

TINY = load_config("tiny")
CONFIGS = pytest.mark.parametrize(
    "config", [TINY, replace(TINY, pipeline=1)], ids=["short", "deep"]
)


class Bench(Elaboratable):
    """The engine between its buffers; accumulators are all zero."""

    def __init__(self, config):
        self.vector = Vector(config)
        self.activations = ActivationBuffer(config)
        self.parameters = ParameterBuffer(config)

    def elaborate(self, platform):
        m = Module()
        m.submodules.vector = self.vector
        m.submodules.activations = self.activations
        m.submodules.parameters = self.parameters
        connect(m, self.vector.read, self.activations.vector)
        connect(m, self.vector.write, self.activations.vector_write)
        connect(m, self.vector.parameters, self.parameters.read)
        return m


def run(simulate, config, loops, requantize, rows, *, feeder=None):
    """Return cycles of ``active``, of writes and of ``done``; the job is taken in cycle 0."""
    bench = Bench(config)
    vector = bench.vector
    events = {"active": [], "write": [], "done": [], "ready": []}

    async def testbench(ctx):
        job = {"loops": loops, "requantize": requantize, "work": {"rows": rows, "write_addr": 100}}
        ctx.set(vector.job.payload, job)
        ctx.set(vector.job.valid, 1)
        signals = vector.active, vector.write.valid, vector.done, vector.job.ready
        for cycle in range(200):
            if feeder:
                addr, read = feeder(cycle), bench.activations.feeder
                ctx.set(read.addr, addr)
                ctx.set(read.banks, 1 << addr % config.activation_banks)
            _, _, *values = await ctx.tick().sample(*signals)
            for name, value in zip(events, values, strict=True):
                if value:
                    events[name].append(cycle)
            ctx.set(vector.job.valid, 0)
            if events["done"]:
                return

    simulate(bench, testbench)
    assert events["ready"][0] == 0
    assert events["ready"][1] == events["done"][0]
    return events["active"], events["write"], events["done"]


@CONFIGS
def test_one_pixel_is_drained_each_cycle(simulate, config):
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 5, "kernel_rows": 7, "emit_period": 1}
    active, writes, done = run(simulate, config, loops, {"residual": 1}, rows=3)
    assert active == [Vector.latency(config) + n for n in range(15)]
    assert done == [active[-1] + Vector.pixel_done_latency(config)]
    assert writes == [n + Vector.pixel_done_latency(config) - 1 for n in active]


@CONFIGS
@pytest.mark.parametrize("residual", [0, 1])
def test_one_word_is_taken_each_cycle_and_residuals_between(simulate, config, residual):
    loops = {
        "source": VectorSource.ACTIVATION,
        "columns": 5,
        "kernel_rows": 3,
        "kernel_columns": 1,
        "emit_first": 2,
        "emit_period": 2,
    }
    active, writes, done = run(simulate, config, loops, {"residual": residual}, rows=2)
    emits = [n * 15 + 3 * column + 2 for n in range(2) for column in (2, 4)]
    late = [sum(residual for e in emits if e < n) for n in range(30)]
    assert active == [Vector.latency(config) + n + late[n] for n in range(30)]
    assert writes == [active[n] + residual + Vector.word_done_latency(config) - 1 for n in emits]
    assert done == [active[-1] + residual + Vector.word_done_latency(config)]


@CONFIGS
@pytest.mark.parametrize("bits", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("source", VectorSource)
def test_thresholds_are_fetched_first(simulate, config, source, bits):
    loops = {"source": source, "columns": 3, "emit_period": 1}
    loops |= {"kernel_rows": 1, "kernel_columns": 1}
    active, writes, done = run(simulate, config, loops, {"threshold_bits": bits}, rows=1)
    assert active == [Vector.latency(config) + timing.threshold_cycles(bits) + n for n in range(3)]
    words = source is VectorSource.ACTIVATION
    latency = Vector.word_done_latency(config) if words else Vector.pixel_done_latency(config)
    assert writes == [n + latency - 1 for n in active]
    assert done == [active[-1] + latency]


@CONFIGS
def test_words_wait_for_their_bank_only(simulate, config):
    loops = {
        "source": VectorSource.ACTIVATION,
        "columns": 6,
        "kernel_rows": 1,
        "kernel_columns": 1,
        "column_stride": 1,
        "emit_period": 1,
    }
    active, _, _ = run(simulate, config, loops, {}, rows=1, feeder=lambda cycle: cycle // 4)
    banks = TINY.activation_banks
    expected, cycle = [], Vector.latency(config)
    for column in range(6):
        while cycle // 4 % banks == column % banks:
            cycle += 1
        expected.append(cycle)
        cycle += 1
    assert active == expected


@CONFIGS
def test_a_job_that_emits_nothing_is_done_all_the_same(simulate, config):
    loops = {"source": VectorSource.ACCUMULATOR, "columns": 2, "emit_first": 5, "emit_period": 1}
    active, writes, done = run(simulate, config, loops, {}, rows=2)
    assert (len(active), writes) == (4, [])
    assert done == [active[-1] + Vector.pixel_done_latency(config)]
