"""The serial machine: values and cycles of random programs are those of its Verilog."""

import numpy as np
import pytest

from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.golden import run_segment as run_golden
from shiftloom.sim.memory import make_regions
from tests.cycle.equality import assert_equal
from tests.cycle.programs import random_program
from tests.cycle.test_programs import copies
from tests.sim.cases import END, as_program, work
from tests.support.programs import compute_program, config_instruction
from tests.support.serial import SERIAL, WIDE

LATENCY = pytest.mark.parametrize("latency", [1, 32])


BOTH = pytest.mark.parametrize("config", [SERIAL, WIDE], ids=lambda config: config.name)


def computations(config, seed):
    instructions, contents = compute_program(config, seed)
    return as_program(config, instructions, contents[0], region_bytes=(1 << 17,) * 4)


def test_times_are_sums_of_what_instructions_take():
    memory = Memory(latency=5)
    fetch = 1 + 5 + 7  # request, latency, the other words
    load = work(Opcode.LOAD, words=20, runs=1)
    loops = Instruction(
        Opcode.MAC_LOOPS,
        dict.fromkeys(("blocks", "groups", "columns"), 1) | {"kernel_rows": 2, "kernel_columns": 1},
    )
    program = as_program(
        SERIAL, [config_instruction(SERIAL), load, loops, work(Opcode.MAC, rows=6), END]
    )
    found = run_segment(program, program.segments[0], memory=memory)
    first = 2 + fetch + 3 + fetch + 3  # CONFIG, then LOAD, until it starts
    done = first + 1 + (1 + 5 + 15) + (2 + 5 + 3) + 2  # two bursts, of 16 and 4 beats
    assert [found.starts[0][0], found.dones[0][0]] == [first, done]
    start = done + 2 + fetch + 3 + fetch + 1 + 10  # eight words of settings are read
    assert [found.starts[1][0], found.dones[1][0]] == [start, start + 12 + 8]
    assert found.counters["MAC_CYCLES"] == 12
    assert found.cycles == start + 20 + 2  # END was fetched meanwhile


@pytest.mark.rtl
@pytest.mark.slow
@LATENCY
@BOTH
def test_times_of_random_programs_are_those_of_verilog(engine_of, config, latency):
    for seed in range(40):
        assert_equal(engine_of(config), copies(config, seed), latency=latency)
        assert_equal(engine_of(config), random_program(config, seed), latency=latency)
        assert_equal(engine_of(config), computations(config, seed), latency=latency)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("stalls", [0.0, 0.4])
@BOTH
def test_values_of_random_programs_are_those_of_verilog(engine_of, config, stalls):
    for seed in range(40):
        program = computations(config, seed)
        (segment,) = program.segments
        wanted, found = make_regions(program), make_regions(program)
        right = run_golden(program, segment, wanted)
        run = engine_of(config).run_segment(program, segment, found, stalls=stalls, seed=seed)
        np.testing.assert_array_equal(run.addresses, right.addresses)
        np.testing.assert_array_equal(run.data, right.data)
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(one, other)
