"""Where the cycles of a run went: every cycle once, and for the right reason."""

import numpy as np
import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.instructions import Engine, Opcode
from shiftloom.isa.program import Layer
from shiftloom.isa.timing import RUN_END, mac_done, pixel_done, vector_start, word_done
from shiftloom.sim.cycle.causes import Cause, causes_of
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.owners import owners_of
from tests.cycle.programs import random_program
from tests.sim.cases import END, NARROW, TINY, as_program, first_segment, work
from tests.support.graphs import random_graph
from tests.support.programs import config_instruction

BEGIN = config_instruction(TINY)
LAYER = Layer(name="only", operator="", engine="array", output="", macs=1)


def explained(program, **memory):
    segment = first_segment(program)
    run = run_segment(program, segment, memory=Memory(**memory))
    owners = owners_of(program, segment, run)
    return run, owners, causes_of(program, segment, run, owners)


def totals(*instructions, **memory):
    program = as_program(TINY, [BEGIN, *instructions, END])
    run, _, found = explained(program, **memory)
    return run, {cause: int(found[:, cause].sum()) for cause in Cause}


def loops(**counts):
    ones = {"blocks": 1, "groups": 1, "kernel_rows": 1, "kernel_columns": 1, "columns": 40}
    return work(Opcode.MAC_LOOPS, **{**ones, **counts})


@pytest.mark.parametrize("memory", [{}, {"latency": 200}, {"interval": 3}, {"latency": 1}])
@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
def test_every_cycle_of_random_programs_has_one_cause(config, memory):
    for seed in range(10):
        run, _, found = explained(random_program(config, seed), **memory)
        assert found.min() >= 0
        assert found.sum() == run.cycles


@pytest.mark.parametrize("seed", range(4))
def test_causes_of_a_layer_add_up_to_its_cycles(seed):
    program = compile_graph(random_graph(seed, 4), TINY)
    for latency in (1, 100):
        _, owners, found = explained(program, latency=latency)
        own = np.zeros(len(program.layers) + 1, np.int64)
        np.add.at(own, owners.layers, np.diff(owners.edges))
        assert found.sum(1).tolist() == own.tolist()
        assert found[:, Cause.COMPUTE].sum() > 0


@pytest.mark.parametrize("interval", [1, 2])
@pytest.mark.parametrize("latency", [1, 150])
def test_load_then_compute(latency, interval):
    load = work(Opcode.LOAD, words=200, runs=1)
    mac = work(Opcode.MAC, rows=2, wait_load=1)
    run, found = totals(load, loops(), mac, latency=latency, interval=interval)
    start = int(run.starts[Engine.MAC][0])
    first, last = int(run.begins[0]), int(run.dones[Engine.MAC][0]) - mac_done(TINY)
    assert found[Cause.COMPUTE] == last + 1 - first == 80
    assert found[Cause.DEPENDENCY] == run.cycles - (last + 1) + first - start
    ends = np.concatenate([run.reads, run.fetches])
    beats = ends[ends[:, 0] < start, 1].sum()
    assert found[Cause.BANDWIDTH] == beats * interval
    assert found[Cause.LATENCY] == start - beats * interval
    assert found[Cause.LATENCY] > latency


def test_compute_then_store():
    mac = work(Opcode.MAC, rows=2)
    store = work(Opcode.STORE, words=400, runs=1, region=2, wait_mac=1)
    run, found = totals(loops(), mac, store, latency=50)
    done, start = int(run.dones[Engine.MAC][0]), int(run.starts[Engine.STORE][0])
    last = done - mac_done(TINY)
    before = int(run.begins[0]) - int(run.starts[Engine.MAC][0])
    assert found[Cause.DEPENDENCY] == start - (last + 1) + before
    assert found[Cause.BANDWIDTH] >= run.counters["WRITE_BEATS"] == 200
    assert run.dones[Engine.STORE][0] + RUN_END == run.cycles


def test_array_that_waits_for_weights_from_memory():
    """Tiles of one pixel take as long as their weights, which come during the work or before."""
    counts = {"columns": 1, "blocks": 64}
    weights = [work(Opcode.LOAD, words=64, runs=1, buffer=1, addr=64 * n) for n in range(4)]
    jobs = [
        work(Opcode.MAC, rows=1, wait_load=n + 1, weight_addr=64 * n, pixel=n) for n in range(4)
    ]
    before = [work(Opcode.MAC, rows=1, wait_load=4, pixel=n) for n in range(4)]
    _, during = totals(loops(**counts), *weights, *jobs, latency=1, interval=2)
    run, after = totals(loops(**counts), *weights, *before, latency=1, interval=2)
    assert run.stalls[Engine.MAC].sum() > 100
    assert after[Cause.COMPUTE] == run.stalls[Engine.MAC].sum() + 4 * 64
    assert during[Cause.COMPUTE] < after[Cause.COMPUTE]


def test_settings_are_dependencies():
    first, mac = work(Opcode.MAC, rows=1, wait_load=1), work(Opcode.MAC, rows=1)
    load = work(Opcode.LOAD, words=2000, runs=1)
    some, many = (
        totals(load, loops(columns=1), first, *[loops(columns=1)] * count, mac)[1]
        for count in (6, 12)
    )
    assert many[Cause.DEPENDENCY] == some[Cause.DEPENDENCY] + 6


def test_program_without_work_waits_for_its_instructions():
    run, found = totals()
    assert found[Cause.BANDWIDTH] == run.counters["READ_BEATS"]
    assert found[Cause.LATENCY] == run.cycles - run.counters["READ_BEATS"]


def active(program, run):
    """Return in how many cycles the array or the vector unit has an operand or waits for one."""
    busy = np.zeros(run.cycles + 1, bool)
    for begin, done in zip(run.begins, run.dones[Engine.MAC], strict=True):
        busy[begin : done - mac_done(program.config) + 1] = True
    number, delay = 0, 0
    for instruction in program.instructions:
        if instruction.opcode is Opcode.VECTOR_LOOPS:
            delay = (word_done if instruction["source"] else pixel_done)(program.config)
        elif instruction.opcode is Opcode.VECTOR:
            start, done = (stamps[Engine.VECTOR][number] for stamps in (run.starts, run.dones))
            busy[start + vector_start(program.config) : done - delay + 1] = True
            number += 1
    return busy.sum()


@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
def test_compute_is_what_array_and_vector_unit_work(config):
    exact = 0
    for seed in range(20):
        program = random_program(config, seed)
        run, _, found = explained(program)
        compute, work, stalls = found[:, Cause.COMPUTE].sum(), active(program, run), run.stalls
        assert work - stalls[Engine.MAC].sum() <= compute <= work
        exact += compute == work
    assert exact > 5


def test_instructions_behind_a_full_queue_of_load_wait_for_transfers():
    long = work(Opcode.LOAD, words=200, runs=4, memory_pitch=1024, pitch=200)
    loads = [work(Opcode.LOAD, words=1, runs=1, wait_load=1)] * 60
    run, found = totals(long, *loads, loops(), work(Opcode.MAC, rows=2))
    start, last = int(run.starts[Engine.MAC][0]), int(run.dones[Engine.MAC][0]) - mac_done(TINY)
    waited = int(run.begins[0]) - start + run.cycles - (last + 1)
    assert start > 400
    assert found[Cause.DEPENDENCY] == waited
