"""What the cycle engine says that work waited for is what made it wait."""

from dataclasses import replace
from itertools import pairwise

import pytest

from shiftloom.isa.instructions import ENGINES, Engine, Instruction, Opcode, VectorSource
from shiftloom.isa.timing import (
    QUEUE_DEPTH,
    mac_done,
    pixel_done,
    threshold_cycles,
    token,
    vector_start,
    word_done,
)
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.engine_queue import Wait
from shiftloom.sim.cycle.memory import Memory
from tests.cycle.programs import random_program
from tests.sim.cases import DEEP, END, NARROW, TINY, as_program, first_segment, work
from tests.support.programs import config_instruction

CONFIGS = pytest.mark.parametrize("config", [TINY, NARROW, DEEP], ids=lambda c: c.name)
BEGIN = config_instruction(TINY)


def run(program, **memory):
    return run_segment(program, first_segment(program), memory=Memory(**memory))


def works(program, engine):
    """Return the indices of an engine's work, and its settings by opcode at each."""
    settings = {}
    for index, instruction in enumerate(program.instructions):
        if instruction.opcode is Opcode[engine.name]:
            yield index, instruction, dict(settings)
        settings[instruction.opcode] = instruction


def without_wait(program, index, engine):
    """Return a program whose instruction does not wait for an engine's work."""
    instructions = list(program.instructions)
    changed = instructions[index]
    fields = {**changed.fields, f"wait_{engine.name.lower()}": 0}
    instructions[index] = Instruction(changed.opcode, fields)
    return as_program(program.config, instructions, region_bytes=program.region_bytes)


@CONFIGS
@pytest.mark.parametrize("seed", range(12))
def test_without_its_last_wait_work_starts_earlier_by_what_it_waited(config, seed):
    program = random_program(config, seed)
    found, tried = run(program), 0
    for engine in ENGINES:
        for number, (index, instruction, _) in enumerate(works(program, engine)):
            wait = Wait(found.waits[engine][number])
            if wait >= len(ENGINES) or number % 3:
                continue
            other, count = Engine(wait), instruction[f"wait_{wait.name.lower()}"]
            start = found.starts[engine][number]
            assert start == found.dones[other][count - 1] + token(config)
            earlier = run(without_wait(program, index, other)).starts[engine][number]
            assert earlier == start - found.waited[engine][number]
            tried += 1
    assert tried


@CONFIGS
@pytest.mark.parametrize("seed", range(12))
def test_work_takes_its_steps_and_its_stalls(config, seed):
    program = random_program(config, seed)
    found = run(program)
    for number, (_, job, settings) in enumerate(works(program, Engine.MAC)):
        loops = settings[Opcode.MAC_LOOPS]
        steps = job["rows"] * loops["columns"]
        for name in ("blocks", "groups", "kernel_rows", "kernel_columns"):
            steps *= loops[name]
        took = found.dones[Engine.MAC][number] - mac_done(config) - found.begins[number] + 1
        assert took == steps + found.stalls[Engine.MAC][number]
    for number, (_, job, settings) in enumerate(works(program, Engine.VECTOR)):
        loops, requantize = settings[Opcode.VECTOR_LOOPS], settings[Opcode.VECTOR_REQUANTIZE]
        steps, delay = job["rows"] * loops["columns"], pixel_done(config)
        if loops["source"] == VectorSource.ACTIVATION:
            results = len(range(loops["emit_first"], loops["columns"], loops["emit_period"]))
            steps *= loops["kernel_rows"] * loops["kernel_columns"]
            steps += job["rows"] * results * requantize["residual"]
            delay = word_done(config)
        engine = Engine.VECTOR
        took = found.dones[engine][number] - found.starts[engine][number] - delay + 1
        first = vector_start(config) + threshold_cycles(requantize["threshold_bits"])
        assert took == steps + first + found.stalls[engine][number]


def test_random_programs_stall():
    stalls = [run(random_program(TINY, seed)).stalls for seed in range(12)]
    assert all(sum(found[engine].sum() for found in stalls) > 0 for engine in ENGINES)


def taps(**fields):
    """Return settings and work of the vector unit that reads and writes in every cycle."""
    sizes = {"columns": 40, "kernel_rows": 1, "kernel_columns": 1, "emit_period": 1}
    strides = {"column_stride": 1, "write_stride": 1, "height": 99, "width": 99, "row_stride": 1}
    source = {"source": VectorSource.ACTIVATION}
    return (
        work(Opcode.VECTOR_LOOPS, **sizes, **strides, **source),
        work(Opcode.VECTOR_REQUANTIZE),
        *[work(Opcode.VECTOR, rows=8, write_addr=600, **fields)] * 4,
    )


def test_stalls_of_load_are_what_banks_cost():
    load = {"words": 200, "runs": 3, "memory_pitch": 1024, "pitch": 200}
    first = work(Opcode.LOAD, words=300, runs=1)
    times, stalls = [], []
    for buffer in (0, 1):
        late = work(Opcode.LOAD, buffer=buffer, wait_load=1, **load)
        found = run(as_program(TINY, [BEGIN, first, *taps(wait_load=1), late, END]))
        times.append(found.dones[Engine.LOAD][1] - found.starts[Engine.LOAD][1])
        stalls.append(found.stalls[Engine.LOAD][1])
    assert stalls[1] == 0 < stalls[0]
    assert times[0] == times[1] + stalls[0]


def test_stalls_of_words_that_come_in_parts():
    narrow = replace(TINY, columns=8, bus_bytes=4)
    stalls = []
    for vector in (taps(), ()):
        loads = [work(Opcode.LOAD, words=200, runs=2, memory_pitch=1024, pitch=200)] * 2
        program = as_program(narrow, [config_instruction(narrow), *vector, *loads, END])
        stalls.append(run(program).stalls[Engine.LOAD].sum())
    assert stalls[0] > 0 == stalls[1]


def test_stalls_of_store_are_what_banks_cost():
    store = work(Opcode.STORE, words=600, runs=1, region=2)
    alone = run(as_program(TINY, [BEGIN, store, END]))
    found = run(as_program(TINY, [BEGIN, *taps(), store, END]))
    times = [r.dones[Engine.STORE][0] - r.starts[Engine.STORE][0] for r in (alone, found)]
    stalls = [r.stalls[Engine.STORE][0] for r in (alone, found)]
    assert stalls[0] == 0 < stalls[1]
    assert times[1] == times[0] + stalls[1]


def waits_of(engine, *instructions, **memory):
    found = run(as_program(TINY, [BEGIN, *instructions, END]), **memory)
    return [Wait(wait) for wait in found.waits[engine]]


def test_full_queues_are_named():
    long = work(Opcode.LOAD, words=100, runs=4, memory_pitch=512, pitch=100)
    store = work(Opcode.STORE)
    loads = [work(Opcode.LOAD, words=1, runs=1, wait_load=1)] * (QUEUE_DEPTH + 30)
    assert waits_of(Engine.STORE, store) == [Wait.FETCH]
    assert waits_of(Engine.STORE, long, *loads, store) == [Wait.LOAD_QUEUE]
    assert waits_of(Engine.STORE, long, *loads[:5], store) == [Wait.FETCH]
    # More settings than are fetched ahead: the store comes late from memory, because of the queue.
    settings = [work(Opcode.VECTOR_REQUANTIZE)] * 30
    found = waits_of(Engine.STORE, long, *loads, *settings, store, latency=200)
    assert found == [Wait.LOAD_QUEUE]
    assert waits_of(Engine.STORE, long, *settings, store, latency=200) == [Wait.FETCH]


def test_settings_are_named():
    loops = work(Opcode.MAC_LOOPS, blocks=1, groups=1, kernel_rows=1, kernel_columns=1, columns=1)
    mac = work(Opcode.MAC, rows=1)
    after = {"wait_load": 1}
    first = work(Opcode.MAC, rows=1, **after)
    load = work(Opcode.LOAD, words=400, runs=1)
    found = waits_of(Engine.MAC, load, loops, first, *[loops] * 8, mac)
    assert found == [Wait.LOAD, Wait.SETTINGS]


@pytest.mark.parametrize("interval", [1, 3])
@CONFIGS
def test_bursts_hold_all_beats_one_after_the_other(config, interval):
    found = run(random_program(config, 7), interval=interval)
    read = sorted([*found.reads.tolist(), *found.fetches.tolist()])
    assert sum(beats for _, beats in read) == found.counters["READ_BEATS"]
    assert sum(found.fetches[:, 1]) == found.counters["FETCH_BEATS"]
    assert sum(found.writes[:, 1]) == found.counters["WRITE_BEATS"]
    for bursts in (read, found.writes.tolist()):
        assert len(bursts) > 3
        for (before, _), (end, beats) in pairwise(bursts):
            assert end >= before + beats * interval
            assert end < found.cycles
