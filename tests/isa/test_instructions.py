"""Instructions as named integers and as bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftloom.hw.runs import REGIONS
from shiftloom.hw.tap_unit import WINDOW_STEPS as HW_WINDOW_STEPS
from shiftloom.isa.config import INSTRUCTION_BYTES
from shiftloom.isa.formats import FORMATS, WINDOW_STEPS, Engine, Field, Opcode, Region
from shiftloom.isa.instructions import Instruction, decode, encode, engine_of, is_work


@st.composite
def instructions(draw):
    opcode = draw(st.sampled_from(sorted(FORMATS)))
    edges = {f.name: st.sampled_from([f.low, f.high, 0]) for f in FORMATS[opcode][1:]}
    values = {f.name: st.integers(f.low, f.high) for f in FORMATS[opcode][1:]}
    fields = {name: draw(st.one_of(edges[name], values[name])) for name in values}
    return Instruction(opcode, fields)


@settings(max_examples=100)
@given(instructions())
def test_bytes_and_back(instruction):
    data = encode(instruction)
    assert len(data) == INSTRUCTION_BYTES
    assert decode(data) == instruction


@settings(max_examples=100)
@given(instructions(), st.data())
def test_fields_do_not_overlap(instruction, data):
    """Another value in one field changes nothing outside the field's bits."""
    fields = FORMATS[instruction.opcode][1:]
    if not fields:
        return
    field = data.draw(st.sampled_from(fields))
    value = data.draw(st.integers(field.low, field.high))
    other = Instruction(instruction.opcode, {**instruction.fields, field.name: value})
    changed = int.from_bytes(encode(instruction), "little") ^ int.from_bytes(
        encode(other), "little"
    )
    position = 8 + sum(f.width for f in fields[: fields.index(field)])
    assert changed == (changed >> position & ((1 << field.width) - 1)) << position


@pytest.mark.parametrize("opcode", FORMATS, ids=lambda opcode: opcode.name)
def test_format_fits_and_names_are_unique(opcode):
    fields = FORMATS[opcode]
    assert sum(field.width for field in fields) <= 8 * INSTRUCTION_BYTES
    assert len({field.name for field in fields}) == len(fields)
    assert fields[0] == FORMATS[Opcode.END][0]


def test_fourth_version_is_frozen():
    """Widths of version 4, in order: who changes them raises ISA_VERSION."""
    widths = {op.name: [-f.width if f.signed else f.width for f in FORMATS[op]] for op in FORMATS}
    waits = [8, 16, 16, 16, 16]
    transfer = [*waits, 2, 32, 2, 20, 16, 12, 28, 20]
    counts, strides = [10, 5, 6, 6, 12], [-20, -20, -21, -20]
    assert widths == {
        "CONFIG": [8, 32],
        "END": [8],
        "LOAD": transfer,
        "STORE": transfer,
        "MAC_LOOPS": [8, 1, 1, *counts, 26, 26, 20, 26, 14, 6, 6, 5, 9, 7, 16, 16, 1, 1, 1, 10],
        "MAC": [*waits, 1, 1, 12, 12, -26, -14, -18, 20, 1, 1],
        "VECTOR_LOOPS": [8, 1, 1, 1, 12, 6, 6, *strides, 5, 5, 6, 6, 12, 12, 6, 5, -20, -20],
        "VECTOR_REQUANTIZE": [8, 2, -16, -16, -5, -9, -9, 3, 1, 3, 1, 1, 3, -20, -20],
        "VECTOR": [*waits, 1, 12, 12, -21, -13, -13, 13, 20, 20, 13, 3],
    }


def test_bytes_are_what_they_were():
    fields = {"wait_load": 1, "wait_store": 0x1234, "accumulate": 1, "pixel": 3, "y": -1}
    data = encode(Instruction(Opcode.MAC, fields))
    # Bits 124…137 hold y: the upper half of byte 15, byte 16 and two bits of byte 17.
    assert data.hex() == "0601000000000034120d0000000000f0ff03" + 14 * "00"


def test_limits_are_those_of_the_hardware():
    assert (WINDOW_STEPS, len(Region)) == (HW_WINDOW_STEPS, REGIONS)


def test_fields_that_are_not_given_are_zero():
    instruction = Instruction(Opcode.LOAD, {"words": 3})
    assert (instruction["words"], instruction["runs"]) == (3, 0)
    assert str(instruction) == "LOAD              words=3"
    assert str(Instruction(Opcode.END, {})) == "END"


def test_field_ranges():
    assert (Field("f", 5).low, Field("f", 5).high) == (0, 31)
    assert (Field("f", 5, signed=True).low, Field("f", 5, signed=True).high) == (-16, 15)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"word": 1}, "LOAD has no field word"),
        ({"opcode": 4}, "LOAD has no field opcode"),
        ({"words": 1 << 16}, "LOAD.words must be 0…65535, not 65536"),
        ({"words": -1}, "LOAD.words must be 0…65535, not -1"),
    ],
)
def test_wrong_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Instruction(Opcode.LOAD, fields)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an instruction has 32 bytes, not 0"),
        (bytes(33), "an instruction has 32 bytes, not 33"),
        (bytes(32), "no opcode 0"),
        (b"\x03" + bytes(31), "no opcode 3"),
        (b"\xff" * 32, "no opcode 255"),
    ],
)
def test_wrong_bytes_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        decode(data)


def test_engines_and_work():
    assert {op: engine_of(op) for op in Opcode if engine_of(op) is not None} == {
        Opcode.LOAD: Engine.LOAD,
        Opcode.MAC_LOOPS: Engine.MAC,
        Opcode.MAC: Engine.MAC,
        Opcode.VECTOR_LOOPS: Engine.VECTOR,
        Opcode.VECTOR_REQUANTIZE: Engine.VECTOR,
        Opcode.VECTOR: Engine.VECTOR,
        Opcode.STORE: Engine.STORE,
    }
    assert {op for op in Opcode if is_work(op)} == {
        Opcode.LOAD,
        Opcode.MAC,
        Opcode.VECTOR,
        Opcode.STORE,
    }
