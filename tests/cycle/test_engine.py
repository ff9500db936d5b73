"""What the cycle engine says of a run, refuses, and compares."""

import dataclasses

import numpy as np
import pytest

from shiftloom.isa.instructions import FORMATS, Engine, Opcode
from shiftloom.isa.program import Segment
from shiftloom.isa.registers import Error
from shiftloom.sim.cycle.compare import first_time_difference
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.engine_queue import Wait
from shiftloom.sim.cycle.listing import list_segment
from shiftloom.sim.result import SimulationError
from tests.cycle.programs import random_program
from tests.sim.cases import END, NARROW, TINY, as_program, first_segment, relay, work
from tests.support.programs import config_instruction

BEGIN = config_instruction(TINY)
LOAD = work(Opcode.LOAD, words=40, runs=1)


def run(program):
    return run_segment(program, first_segment(program))


@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
def test_listing_holds_every_field(config):
    program = random_program(config, 5)
    listing = list_segment(program, first_segment(program))
    for instruction, (opcode, fields) in zip(program.instructions, listing, strict=True):
        assert opcode is instruction.opcode
        assert {name: value for name, value in fields.items() if name != "opcode"} == {
            field.name: instruction[field.name] for field in FORMATS[opcode][1:]
        }


@pytest.mark.parametrize(
    ("instructions", "error", "message"),
    [
        ([BEGIN, LOAD], Error.NO_END, "no END within its 2 instructions"),
        ([LOAD, END], Error.WRONG_CONFIG, "WRONG_CONFIG at instruction 0"),
        ([config_instruction(NARROW), END], Error.WRONG_CONFIG, "WRONG_CONFIG at instruction 0"),
        ([BEGIN, b"\x03" * 32, END], Error.ILLEGAL_OPCODE, "ILLEGAL_OPCODE at instruction 1"),
        (
            [BEGIN, work(Opcode.MAC, rows=1), END],
            Error.NONE,
            "MAC before MAC_LOOPS at instruction 1",
        ),
        (
            [BEGIN, work(Opcode.MAC_LOOPS, blocks=1), work(Opcode.MAC, rows=1), END],
            Error.NONE,
            "MAC_LOOPS.groups is 0 at instruction 2",
        ),
        (
            [BEGIN, work(Opcode.STORE, wait_load=1), END],
            Error.NONE,
            "stuck; completed: 0 of 0 LOAD, 0 of 0 MAC, 0 of 0 VECTOR, 0 of 1 STORE",
        ),
    ],
)
def test_bad_programs_are_refused(instructions, error, message):
    with pytest.raises(SimulationError, match=message) as raised:
        run(as_program(TINY, instructions))
    assert raised.value.error is error


def test_program_without_work_ends():
    assert run(as_program(TINY, [BEGIN, END])).cycles > 32


def test_what_work_waited_for():
    store = work(Opcode.STORE, wait_load=2, words=1, runs=1)
    long = work(Opcode.LOAD, words=100, runs=4, memory_pitch=512, pitch=100)
    found = run(as_program(TINY, [BEGIN, long, LOAD, store, store, END]))
    assert found.waits[Engine.LOAD].tolist() == [Wait.FETCH, Wait.ENGINE]
    assert found.waits[Engine.STORE].tolist() == [Wait.LOAD, Wait.ENGINE]
    assert found.starts[Engine.STORE][0] == found.dones[Engine.LOAD][1] + 1


def test_runs_are_reproducible():
    program = random_program(NARROW, 3)
    first, second = run(program), run(program)
    assert first_time_difference(program, first_segment(program), first, second) is None
    assert first.counters == second.counters


def test_first_difference_is_named():
    program = relay(TINY)
    right = run(program)
    later = {**right.starts, Engine.STORE: right.starts[Engine.STORE] + 1}
    ends = {**right.dones, Engine.VECTOR: right.dones[Engine.VECTOR] + np.array([0, 2])}
    wrong = dataclasses.replace(right, starts=later, dones=ends)
    message = first_time_difference(program, first_segment(program), right, wrong)
    done = right.dones[Engine.VECTOR][1]
    assert message is not None
    assert "VECTOR work 1, completes" in message
    assert message.endswith(f"at {done + 2} instead of {done}")


def test_missing_work_and_other_totals_are_differences():
    program = relay(TINY)
    segment, right = first_segment(program), run(program)
    fewer = {**right.dones, Engine.STORE: right.dones[Engine.STORE][:-1]}
    wrong = dataclasses.replace(right, dones=fewer)
    assert "completes at None" in str(first_time_difference(program, segment, right, wrong))
    wrong = dataclasses.replace(right, cycles=right.cycles + 1)
    message = f"the run takes {right.cycles + 1} instead of {right.cycles}"
    assert message in str(first_time_difference(program, segment, right, wrong))


def test_segments_count_their_own_instructions():
    program = as_program(TINY, [BEGIN, LOAD, END, BEGIN, LOAD, LOAD, END])
    segment = Segment(first=3, count=4, inputs=(), outputs=())
    assert len(run_segment(program, segment).dones[Engine.LOAD]) == 2
