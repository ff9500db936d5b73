"""Golden engine against the definition of the instructions."""

import numpy as np
import pytest

from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.program import Segment
from shiftloom.isa.registers import Error
from shiftloom.isa.semantics import Machine, execute
from shiftloom.sim.golden import run_segment
from shiftloom.sim.listing import emitted_counts
from shiftloom.sim.memory import read_tensor, write_tensor
from shiftloom.sim.result import SimulationError
from tests.sim.cases import END, NARROW, TINY, as_program, fill, first_segment, relay, work
from tests.support.programs import compute_program, config_instruction

FIRST = config_instruction(TINY)
LOAD = work(Opcode.LOAD, words=4, runs=1)


@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_programs_follow_the_definition(config, seed):
    instructions, contents = compute_program(config, seed)
    program = as_program(config, instructions, contents[0])
    regions, expected = fill(program, contents), fill(program, contents)
    run = run_segment(program, first_segment(program), regions)

    machine = Machine(config, expected)
    writes, words = [], []
    for instruction in instructions:
        written = execute(machine, instruction)
        if written is not None:
            writes.append(written)
            words.append(machine.activation[written])
    np.testing.assert_array_equal(run.addresses, np.concatenate(writes))
    np.testing.assert_array_equal(run.data, np.concatenate(words))
    assert run.counts.tolist() == [len(written) for written in writes]
    assert run.counts.tolist() == emitted_counts(program, first_segment(program)).tolist()
    assert all(map(np.array_equal, regions, expected))


def test_without_trace_only_memory_changes():
    program = relay(TINY)
    regions, traced = fill(program), fill(program)
    run = run_segment(program, first_segment(program), regions, trace=False)
    assert run_segment(program, first_segment(program), traced).counts.tolist() == [12, 12]
    assert run.addresses.shape == (0,)
    assert run.data.shape == (0, TINY.word_bytes)
    assert run.counts.tolist() == [12, 12]
    assert all(map(np.array_equal, regions, traced))


@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
def test_a_feature_map_passes_through(config):
    program = relay(config)
    source, target = program.places
    regions = fill(program)
    codes = np.random.default_rng(0).integers(-128, 128, source.shape).astype(np.int16)
    write_tensor(regions, source, codes, config)
    run_segment(program, first_segment(program), regions)
    np.testing.assert_array_equal(read_tensor(regions, target, config), codes)


WRONG = {
    "opcode": ([FIRST, LOAD, bytes(32), END], Error.ILLEGAL_OPCODE, 2, "no opcode 0"),
    "first": ([LOAD, END], Error.WRONG_CONFIG, 0, "WRONG_CONFIG at instruction 0"),
    "later": (
        [FIRST, LOAD, Instruction(Opcode.CONFIG, {"config_id": 5}), END],
        Error.WRONG_CONFIG,
        2,
        "expected CONFIG config_id=",
    ),
    "no_end": ([FIRST, LOAD], Error.NO_END, 2, "no END within its 2 instructions"),
    "settings": (
        [FIRST, work(Opcode.MAC), END],
        Error.NONE,
        1,
        "MAC before MAC_LOOPS, at instruction 1",
    ),
    "region": (
        [FIRST, work(Opcode.LOAD, offset=1 << 16, words=1, runs=1), END],
        Error.NONE,
        1,
        "LOAD byte 65536…65539 lies outside 0…65535, at instruction 1",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_programs_are_refused(what):
    instructions, error, index, text = WRONG[what]
    program = as_program(TINY, instructions)
    with pytest.raises(SimulationError, match=text) as caught:
        run_segment(program, first_segment(program), fill(program))
    assert (caught.value.error, caught.value.index) == (error, index)


def test_nothing_happens_behind_the_end():
    store = work(Opcode.STORE, region=3, words=4, runs=1)
    program = as_program(TINY, [FIRST, END, store, bytes(32)])
    regions, before = fill(program), fill(program)
    run_segment(program, first_segment(program), regions)
    assert all(map(np.array_equal, regions, before))


def test_only_the_segment_runs():
    store = work(Opcode.STORE, region=3, words=4, runs=1)
    program = as_program(TINY, [bytes(32), store, FIRST, END, store])
    regions, before = fill(program), fill(program)
    run_segment(program, Segment(first=2, count=2, inputs=(), outputs=()), regions)
    assert all(map(np.array_equal, regions, before))
