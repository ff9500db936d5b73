"""The checker of finished programs finds mistakes planted in them."""

import pytest

from shiftloom.compiler.audit import audit
from shiftloom.compiler.compile import compile_graph
from shiftloom.compiler.errors import CompileError
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from tests.support.graph_builder import Builder

CONFIG = load_config("tiny")


@pytest.fixture(scope="module")
def program():
    builder = Builder(5)
    first = builder.conv(builder.input((3, 12, 12)), "dense", channels=9)
    second = builder.conv(first, "depthwise")
    third = builder.conv(second, "dense", channels=6)
    return compile_graph(builder.graph([third]), CONFIG)


def check(program, instructions):
    audit(instructions, program.config, program.region_bytes)


def changed(instructions, index, **fields):
    found = instructions[index]
    edited = Instruction(found.opcode, {**found.fields, **fields})
    return [*instructions[:index], edited, *instructions[index + 1 :]]


def work(instructions, opcode):
    return [n for n, i in enumerate(instructions) if i.opcode is opcode]


def test_compiled_program_passes(program):
    check(program, program.instructions)


def waiting(instructions):
    names = [f"wait_{name}" for name in ("load", "mac", "vector", "store")]
    return [(n, w) for n, i in enumerate(instructions) for w in names if i.fields.get(w)]


def test_most_missing_tokens_are_found(program):
    """A token that other tokens imply may be missing; those that carry an order may not."""
    missed = 0
    for index, name in waiting(program.instructions):
        try:
            check(program, changed(program.instructions, index, **{name: 0}))
        except CompileError as error:
            assert "may touch" in str(error)
        else:
            missed += 1
    total = len(waiting(program.instructions))
    assert total > 10
    assert missed <= total // 2


@pytest.mark.parametrize("opcode", [Opcode.MAC, Opcode.VECTOR])
def test_first_work_needs_its_loads(program, opcode):
    index = work(program.instructions, opcode)[0]
    with pytest.raises(CompileError, match="before LOAD work"):
        check(program, changed(program.instructions, index, wait_load=0))


def test_store_needs_its_vector_work(program):
    index = work(program.instructions, Opcode.STORE)[-1]
    with pytest.raises(CompileError, match="STORE may touch ACTIVATION before VECTOR"):
        check(program, changed(program.instructions, index, wait_vector=0))


def test_accumulators_are_not_overwritten_before_they_drained(program):
    index = work(program.instructions, Opcode.MAC)[2]
    with pytest.raises(CompileError, match="may touch half before VECTOR"):
        check(program, changed(program.instructions, index, wait_vector=0))


def test_wait_for_later_work_is_a_deadlock(program):
    index = work(program.instructions, Opcode.MAC)[0]
    with pytest.raises(CompileError, match="behind it"):
        check(program, changed(program.instructions, index, wait_vector=1))


@pytest.mark.parametrize(
    ("opcode", "field", "value"),
    [
        (Opcode.LOAD, "addr", (1 << 20) - 1),
        (Opcode.STORE, "offset", 1 << 20),
        (Opcode.MAC, "weight_addr", (1 << 20) - 1),
        (Opcode.VECTOR, "write_addr", (1 << 20) - 1),
        (Opcode.VECTOR, "parameter_addr", (1 << 13) - 1),
    ],
)
def test_work_outside_a_memory_is_found(program, opcode, field, value):
    index = work(program.instructions, opcode)[-1]
    with pytest.raises(CompileError, match=f"instruction {index}: leaves"):
        check(program, changed(program.instructions, index, **{field: value}))


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_memory_must_be_aligned(program, opcode):
    index = work(program.instructions, opcode)[0]
    offset = program.instructions[index]["offset"] + CONFIG.word_bytes
    with pytest.raises(CompileError, match="not aligned to 32 bytes"):
        check(program, changed(program.instructions, index, offset=offset))


def test_program_begins_and_ends_properly(program):
    with pytest.raises(CompileError, match="begins with CONFIG"):
        check(program, program.instructions[1:])
    with pytest.raises(CompileError, match="ends with END"):
        check(program, program.instructions[:-1])
    end = Instruction(Opcode.END, {})
    with pytest.raises(CompileError, match="END within"):
        check(program, [program.instructions[0], end, *program.instructions[1:]])
