"""Every piece of work starts and ends in the cycle in which it does on RTL."""

from dataclasses import replace

import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Opcode
from tests.cycle.equality import LATENCIES, assert_equal
from tests.cycle.programs import random_program
from tests.sim.cases import BITS, DEEP, DEEP_WIDE, END, NARROW, TINY, as_program, work
from tests.support.programs import compute_program, config_instruction, copy_program

pytestmark = pytest.mark.rtl

QUICK = pytest.mark.parametrize("config", [TINY, NARROW, BITS, DEEP], ids=lambda c: c.name)
LARGER = pytest.mark.parametrize("config", ["odd", "small", "base", "ulx3s"])
LATENCY = pytest.mark.parametrize("latency", LATENCIES)

#: Four regions that hold the contents of any of the buffers.
LARGE = (1 << 19,) * 4


def copies(config, seed):
    return as_program(config, copy_program(config, seed, transfers=30), region_bytes=(4096,) * 4)


def computations(config, seed):
    instructions, contents = compute_program(config, seed)
    return as_program(config, instructions, contents[0], region_bytes=LARGE)


@pytest.mark.parametrize("config", [TINY, NARROW, BITS, DEEP, DEEP_WIDE], ids=lambda c: c.name)
@LATENCY
def test_transfers(engine_of, config, latency):
    for seed in range(20):
        assert_equal(engine_of(config), copies(config, seed), latency=latency)


@QUICK
@pytest.mark.parametrize("latency", [1, 100, 300])
@pytest.mark.parametrize("words", [0, 1])
def test_many_short_jobs_behind_a_long_one(engine_of, config, words, latency):
    first = work(Opcode.LOAD, words=40, runs=1)
    store = work(Opcode.STORE, wait_load=1, words=320, runs=1, region=2)
    loads = [work(Opcode.LOAD, wait_store=1, words=words, runs=1)] * 50
    stores = [work(Opcode.STORE, words=words, runs=1, region=2)] * 50
    for jobs in ([*loads, *stores], [*stores, *loads]):
        program = as_program(config, [config_instruction(config), first, store, *jobs, END])
        assert_equal(engine_of(config), program, latency=latency)


@QUICK
@LATENCY
def test_instructions_behind_the_end_are_fetched(engine_of, config, latency):
    load = work(Opcode.LOAD, words=300, runs=1)
    program = as_program(config, [config_instruction(config), load, END, *[load] * 50])
    assert_equal(engine_of(config), program, latency=latency)


@QUICK
@LATENCY
def test_all_engines_together(engine_of, config, latency):
    assert_equal(engine_of(config), computations(config, latency), latency=latency)
    for seed in range(60):
        assert_equal(engine_of(config), random_program(config, seed), latency=latency)


@LARGER
@pytest.mark.slow
@LATENCY
def test_larger_arrays(engine_of, config, latency):
    config = load_config(config)
    engine = engine_of(config)
    assert_equal(engine, computations(config, latency), latency=latency)
    for seed in range(30):
        assert_equal(engine, copies(config, seed), latency=latency)


@pytest.mark.slow
@pytest.mark.parametrize("bus_bytes", [32, 64])
def test_beats_of_whole_instructions(engine_of, bus_bytes):
    config = replace(TINY, name=f"wide{bus_bytes}", bus_bytes=bus_bytes)
    for seed in range(60):
        latency = LATENCIES[seed % len(LATENCIES)]
        assert_equal(engine_of(config), random_program(config, seed), latency=latency)
