"""Accesses are those that the machine's counters and the instructions' loops say."""

import pytest

from shiftloom.isa.instructions import Opcode, VectorSource
from shiftloom.isa.program import Layer
from shiftloom.sim.cycle.accesses import Access, accesses_of
from shiftloom.sim.cycle.engine import run_segment
from tests.cycle.programs import random_program
from tests.sim.cases import END, NARROW, TINY, as_program, first_segment, relay, work
from tests.support.programs import config_instruction

BEGIN = config_instruction(TINY)
WORD = TINY.word_bytes
SUMS = 4 * TINY.columns


def counted(*instructions):
    program = as_program(TINY, [BEGIN, *instructions, END])
    found = accesses_of(program, first_segment(program))
    assert found.shape == (1, len(Access))
    return {access: int(found[0, access]) for access in Access if found[0, access]}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("config", [TINY, NARROW], ids=lambda c: c.name)
def test_counts_of_random_programs_are_those_of_the_counters(config, seed):
    program = random_program(config, seed)
    found = accesses_of(program, first_segment(program)).sum(0)
    counters = run_segment(program, first_segment(program)).counters
    assert found[Access.ARRAY_STEPS] == counters["MAC_CYCLES"]
    assert found[Access.READ_BEATS] == counters["READ_BEATS"] - counters["FETCH_BEATS"]
    assert found[Access.WRITE_BEATS] == counters["WRITE_BEATS"]
    assert found[Access.EXTERNAL_READ] == found[Access.READ_BEATS] * config.bus_bytes
    assert found[Access.EXTERNAL_WRITE] == found[Access.WRITE_BEATS] * config.bus_bytes


@pytest.mark.parametrize(
    ("buffer", "written"),
    [(0, Access.ACTIVATION_WRITE), (1, Access.WEIGHT_WRITE), (2, Access.PARAMETER_WRITE)],
)
def test_load(buffer, written):
    """Runs of five words of four bytes: three beats of eight bytes each."""
    found = counted(work(Opcode.LOAD, words=5, runs=3, buffer=buffer))
    moved = {written: 15 * WORD, Access.EXTERNAL_READ: 72, Access.READ_BEATS: 9}
    assert found == moved


def test_store():
    found = counted(work(Opcode.STORE, words=5, runs=3, region=2))
    moved = {Access.ACTIVATION_READ: 15 * WORD, Access.EXTERNAL_WRITE: 72, Access.WRITE_BEATS: 9}
    assert found == moved


@pytest.mark.parametrize("accumulate", [0, 1])
@pytest.mark.parametrize(
    ("stride", "addr", "words"),
    [(WORD, 0, 120), (WORD, 1, 240), (2 * WORD, 0, 120), (1, 0, 55), (0, 0, 6)],
)
def test_mac(accumulate, stride, addr, words):
    """Six tiles of twenty operands; a word that the operand before took is not read again."""
    settings = work(
        Opcode.MAC_LOOPS,
        blocks=3,
        groups=1,
        kernel_rows=2,
        kernel_columns=1,
        columns=20,
        column_stride=stride,
        block_stride=1024,
        kernel_row_stride=512,
    )
    found = counted(settings, work(Opcode.MAC, rows=1, addr=addr, accumulate=accumulate))
    assert found[Access.ARRAY_STEPS] == 120
    assert found[Access.WEIGHT_READ] == 6 * TINY.rows * WORD
    assert found[Access.ACCUMULATOR_WRITE] == 120 * SUMS
    assert found[Access.ACCUMULATOR_READ] == (120 if accumulate else 100) * SUMS
    reads = found[Access.ACTIVATION_READ] // WORD
    if stride == 1:  # two words where an operand begins in the middle of one, else a new one
        assert 6 * 6 <= reads <= 120
    else:
        assert reads == words


@pytest.mark.parametrize("residual", [0, 1])
@pytest.mark.parametrize("source", VectorSource)
def test_vector(source, residual):
    """Three rows of nine columns, every third a result; six kernel steps where words come in."""
    settings = (
        work(
            Opcode.VECTOR_LOOPS,
            source=source,
            columns=9,
            kernel_rows=3,
            kernel_columns=2,
            emit_first=2,
            emit_period=3,
        ),
        work(Opcode.VECTOR_REQUANTIZE, residual=residual),
    )
    found = counted(*settings, work(Opcode.VECTOR, rows=3))
    words = 27 * 6 if source is VectorSource.ACTIVATION else 0
    assert found[Access.ACTIVATION_WRITE] == 9 * WORD
    assert found.get(Access.ACTIVATION_READ, 0) == (words + 9 * residual) * WORD
    assert found[Access.PARAMETER_READ] == (1 + words) * TINY.parameter_word_bytes
    assert found.get(Access.TAP_STEPS, 0) == words
    if source is VectorSource.ACTIVATION:
        assert found[Access.VECTOR_STEPS] == words + 9 * residual
        assert Access.ACCUMULATOR_READ not in found
    else:
        assert found[Access.VECTOR_STEPS] == 27
        assert found[Access.ACCUMULATOR_READ] == 27 * SUMS


def test_work_counts_for_its_layer():
    program = relay(TINY)
    found = accesses_of(program, first_segment(program))
    written = found[:, Access.ACTIVATION_WRITE].tolist()
    assert written == [12 * WORD, 12 * WORD, 24 * WORD]
    assert isinstance(program.layers[0], Layer)
