"""LOAD, STORE and control instructions, word by word."""

import numpy as np
import pytest

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Buffer, Instruction, Opcode, Region
from shiftloom.isa.semantics import Machine, execute

TINY = load_config("tiny")
WORD = TINY.word_bytes
TRANSFERS = [
    {"words": 1, "runs": 1},
    {"words": 5, "runs": 3, "memory_pitch": 64, "pitch": 7, "offset": 32, "addr": 11},
    {"words": 4, "runs": 2, "memory_pitch": 0, "pitch": 4, "addr": 3},
    {"words": 4, "runs": 3, "memory_pitch": 32, "pitch": 0},
    {"words": 0, "runs": 4},
    {"words": 4, "runs": 0},
]


def machine():
    generator = np.random.default_rng(3)
    result = Machine(TINY, [generator.integers(0, 256, 1024, np.uint8) for _ in Region])
    for buffer in (result.activation, result.weight, result.parameter):
        buffer[:] = generator.integers(0, 256, buffer.shape)
    return result


def moved(fields):
    """Yield byte offset in memory and word in the buffer, in order."""
    for run in range(fields["runs"]):
        for word in range(fields["words"]):
            start = fields.get("offset", 0) + run * fields.get("memory_pitch", 0)
            yield start + word * WORD, fields.get("addr", 0) + run * fields.get("pitch", 0) + word


@pytest.mark.parametrize("fields", TRANSFERS, ids=str)
@pytest.mark.parametrize("buffer", Buffer)
def test_load(buffer, fields):
    dut, region = machine(), Region.INPUT
    target = {
        Buffer.ACTIVATION: dut.activation,
        Buffer.WEIGHT: dut.weight,
        Buffer.PARAMETER: dut.parameter,
    }[buffer]
    expected = target.copy()
    for byte, word in moved(fields):
        expected[word] = dut.regions[region][byte : byte + WORD]
    execute(dut, Instruction(Opcode.LOAD, {**fields, "buffer": buffer, "region": region}))
    assert np.array_equal(target, expected)


@pytest.mark.parametrize("fields", TRANSFERS, ids=str)
def test_store(fields):
    dut, region = machine(), Region.OUTPUT
    expected = [memory.copy() for memory in dut.regions]
    for byte, word in moved(fields):
        expected[region][byte : byte + WORD] = dut.activation[word]
    execute(dut, Instruction(Opcode.STORE, {**fields, "region": region}))
    assert all(map(np.array_equal, dut.regions, expected))


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"offset": 1024}, "byte 1024…1027 lies outside 0…1023"),
        ({"runs": 3, "memory_pitch": 512}, "byte 0…1027 lies outside"),
        ({"addr": TINY.activation_words}, f"word .* lies outside 0…{TINY.activation_words - 1}"),
    ],
)
def test_transfer_outside_is_refused(opcode, fields, message):
    instruction = Instruction(opcode, {"words": 1, "runs": 1, **fields})
    with pytest.raises(ValueError, match=f"{opcode.name} {message}"):
        execute(machine(), instruction)


def test_load_to_no_buffer_is_refused():
    with pytest.raises(ValueError, match="3 is not a valid Buffer"):
        execute(machine(), Instruction(Opcode.LOAD, {"buffer": 3, "words": 1, "runs": 1}))


def test_program_for_another_configuration_is_refused():
    execute(machine(), Instruction(Opcode.CONFIG, {"config_id": TINY.id}))
    with pytest.raises(ValueError, match="program is for configuration 0x00000005"):
        execute(machine(), Instruction(Opcode.CONFIG, {"config_id": 5}))


def test_end_changes_nothing():
    dut, before = machine(), machine()
    assert execute(dut, Instruction(Opcode.END, {})) is None
    assert np.array_equal(dut.activation, before.activation)
