"""MacEngine against the meaning of MAC, values and cycles."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth import Elaboratable, Module
from amaranth.lib.wiring import connect

from shiftloom.hw.accumulators import Accumulators
from shiftloom.hw.activation_buffer import ActivationBuffer
from shiftloom.hw.mac_engine import MacEngine
from shiftloom.hw.word_buffer import WordBuffer
from shiftloom.isa.config import Config
from shiftloom.isa.semantics import Machine, execute
from shiftloom.isa.timing import accumulator_distance
from tests.support.jobs import Jobs, payload, random_machine, tiles_of
from tests.support.pysim import send
from tests.support.stalls import sometimes

SIZES = {"bus_bytes": 8, "weight_bytes": 16384, "parameter_bytes": 1024, "burst_beats": 16}
TINY = Config(name="tiny", rows=4, columns=4, activation_bytes=1024, accumulator_pixels=32, **SIZES)
ODD = Config(name="odd", rows=6, columns=10, activation_bytes=1344, accumulator_pixels=25, **SIZES)
NARROW = Config(
    name="narrow",
    rows=2,
    columns=3,
    activation_bytes=256,
    accumulator_pixels=20,
    activation_banks=2,
    **SIZES,
)
BITS = Config(
    name="bits",
    rows=7,
    columns=8,
    activation_bytes=1024,
    accumulator_pixels=32,
    bit_lanes=64,
    **SIZES,
)
QUICK = [replace(c, name=f"quick_{c.name}", pipeline=1) for c in (TINY, ODD, NARROW, BITS)]
CONFIGS = [TINY, ODD, NARROW, BITS, *QUICK]


class Bench(Elaboratable):
    """The engine between its two buffers."""

    def __init__(self, config):
        self.config = config
        self.engine = MacEngine(config)
        self.activations = ActivationBuffer(config)
        self.weights = WordBuffer(config.weight_words, config)

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = self.engine
        m.submodules.activations = self.activations
        m.submodules.weights = self.weights
        connect(m, self.engine.activations, self.activations.feeder)
        connect(m, self.engine.weights, self.weights.read)
        return m


def load(ctx, bench, machine):
    """Put a machine's buffers into the bench."""
    banks = bench.activations.contents
    for addr, word in enumerate(machine.activation):
        bank, row = addr % len(banks), addr // len(banks)
        ctx.set(banks[bank][row], int.from_bytes(word.tobytes(), "little"))
    for addr, word in enumerate(machine.weight):
        ctx.set(bench.weights.contents[addr], int.from_bytes(word.tobytes(), "little"))


async def read_accumulators(ctx, port, config):
    """Return both halves as the vector unit sees them."""
    halves = np.zeros((2, config.accumulator_pixels, config.columns), np.int64)
    for half, pixel in np.ndindex(halves.shape[:2]):
        ctx.set(port.half, half)
        ctx.set(port.pixel, pixel)
        await ctx.tick().repeat(Accumulators.latency(config))
        halves[half, pixel] = list(ctx.get(port.data))
    return halves


def jobs_of(config, seed):
    """Return a source of jobs for a machine of their own."""
    return Jobs(Machine(config, []), seed)


def words_of(config, loops):
    """Return the weight words of a tile."""
    return config.columns if loops["bitwise"] else config.rows


def run(simulate, config, jobs, *, seed=0, stalls=0.0):
    """Return accumulators, the machine that should be equal, and cycles of events."""
    machine = random_machine(config, seed)
    bench = Bench(config)
    engine = bench.engine
    events = {"job": [], "active": [], "done": []}
    result = {}

    async def producer(ctx):
        load(ctx, bench, machine)
        payloads = [payload(n, job) for n, job in enumerate(jobs)]
        await send(ctx, engine.job, payloads, sometimes(stalls, seed))

    async def observer(ctx):
        cycle = 0
        signals = engine.job.valid & engine.job.ready, engine.active, engine.done
        while len(events["done"]) < len(jobs):
            _, _, *values = await ctx.tick().sample(*signals)
            for name, value in zip(events, values, strict=True):
                if value:
                    events[name].append(cycle)
            cycle += 1
        result["accumulators"] = await read_accumulators(ctx, engine.accumulators, config)

    simulate(bench, producer, observer, timeout=20_000)
    for loops, work in jobs:
        execute(machine, loops)
        execute(machine, work)
    return result["accumulators"], machine.accumulators, events


@pytest.mark.parametrize("stalls", [0.0, 0.95])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_random_jobs_match_semantics(simulate, config, seed, stalls):
    source = jobs_of(config, seed)
    jobs = [source.mac() for _ in range(12)]
    got, expected, _ = run(simulate, config, jobs, seed=seed, stalls=stalls)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_no_cycle_is_lost_between_tiles_and_jobs(simulate, config):
    source = jobs_of(config, 5)
    shapes = [(2, 3), (2, 2), (3, 4), (1, 4), (1, 5), (1, 4), (2, 5)] * 2
    jobs = [source.mac(rows=r, columns=c, accumulate=0) for r, c in shapes]
    got, expected, events = run(simulate, config, jobs)
    assert np.array_equal(got, expected)

    cycles, distance = [], accumulator_distance(config)
    begins = events["job"][0] + MacEngine.latency(config)
    loaded = begins - config.pipeline  # weights do not wait for operands to be checked
    for loops, work in jobs:
        pixels = work["rows"] * loops["columns"]
        for tiles_left in reversed(range(tiles_of(loops))):
            cycles += range(begins, begins + pixels)
            # The next weights begin with the swap, a row each cycle; operands may be right behind.
            loaded = max(loaded + words_of(config, loops), begins + 2)
            rest = max(0, distance - pixels) if tiles_left else config.pipeline
            begins = max(begins + pixels + rest, loaded)
    assert events["active"] == cycles


@pytest.mark.parametrize("config", [TINY, NARROW, QUICK[0]], ids=lambda c: c.name)
def test_one_pixel_jobs_follow_each_other_as_fast_as_weights(simulate, config):
    source = jobs_of(config, 6)
    jobs = [source.mac(rows=1, columns=1, accumulate=1) for _ in range(20)]
    single = {"blocks": 1, "groups": 1, "kernel_rows": 1, "kernel_columns": 1}
    jobs += [source.mac(rows=1, columns=1, accumulate=0, **single) for _ in range(20)]
    got, expected, events = run(simulate, config, jobs)
    assert np.array_equal(got, expected)
    last = events["active"][-20:]
    assert np.diff(last).tolist() == [config.rows] * 19


@pytest.mark.parametrize("config", [TINY, QUICK[0]], ids=lambda c: c.name)
@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5])
def test_accumulators_may_be_revisited_at_once(simulate, distance, config):
    source = jobs_of(config, distance)
    one = {"blocks": 1, "groups": 1, "kernel_rows": 1, "kernel_columns": 1, "half": 1}
    first = source.mac(rows=1, columns=5, accumulate=0, pixel=3, **one)
    jobs = [first]
    for columns in (5, 4, 5):  # begins with the accumulator of ``distance`` operands ago
        pixel = jobs[-1][1]["pixel"] + jobs[-1][0]["columns"] - distance
        fields = {"rows": 1, "columns": columns, "pixel": pixel, **one}
        jobs.append(source.mac(accumulate=1, **fields))
    got, expected, events = run(simulate, config, jobs)
    assert np.array_equal(got, expected)
    waits = max(config.pipeline, accumulator_distance(config) - distance)
    assert events["active"][5] - events["active"][4] == 1 + waits


def test_the_same_pixels_of_the_other_half_do_not_wait(simulate):
    source = jobs_of(TINY, 3)
    fixed = {"blocks": 1, "groups": 1, "kernel_rows": 1, "kernel_columns": 1, "pixel": 2}
    jobs = [source.mac(rows=1, columns=4, half=half, accumulate=1, **fixed) for half in (0, 1)]
    fixed |= {"half": 0, "pixel": 5}
    jobs.append(source.mac(rows=1, columns=4, accumulate=1, **fixed))
    got, expected, events = run(simulate, TINY, jobs)
    assert np.array_equal(got, expected)
    assert events["active"] == list(range(events["active"][0], events["active"][0] + 12))


def test_a_job_is_accepted_while_the_present_one_runs(simulate):
    source = jobs_of(TINY, 8)
    jobs = [source.mac(rows=4, columns=5) for _ in range(3)]
    _, _, events = run(simulate, TINY, jobs)
    lengths = [tiles_of(loops) * 20 for loops, _ in jobs]
    second_begins = events["active"][lengths[0]]
    assert events["job"][1] < events["active"][0]
    assert events["job"][2] < second_begins


def test_done_comes_when_results_can_be_read(simulate):
    source = jobs_of(ODD, 9)
    jobs = [source.mac() for _ in range(3)]
    _, _, events = run(simulate, ODD, jobs)
    ends = np.cumsum([tiles_of(x) * x["columns"] * w["rows"] for x, w in jobs]) - 1
    last = [events["active"][n] for n in ends]
    assert events["done"] == [cycle + MacEngine.done_latency(ODD) for cycle in last]
