"""Instructions of a program as simulators see them: one by one, and as text for messages."""

import numpy as np
from numpy.typing import NDArray

from ..isa.config import INSTRUCTION_BYTES
from ..isa.instructions import Instruction, Opcode, decode
from ..isa.program import Program, Segment

__all__ = [
    "describe_instruction",
    "emitted_counts",
    "emitted_per_row",
    "instruction_at",
    "short_name",
]

#: Longest layer name in tables.
_LONGEST = 36


def instruction_at(program: Program, index: int) -> Instruction:
    """Return one instruction, whatever the others are.

    Raises
    ------
    ValueError
        An opcode that does not exist.
    """
    start = index * INSTRUCTION_BYTES
    return decode(program.code[start : start + INSTRUCTION_BYTES])


def describe_instruction(program: Program, index: int) -> str:
    """Return an instruction for messages: its index, layer and text.

    ``index`` counts all instructions of the program and may lie behind the last.
    """
    count = len(program.code) // INSTRUCTION_BYTES
    if not 0 <= index < count:
        return f"instruction {index}, behind the last of {count}"
    layer = int(program.layer_of[index])
    where = f" of layer {program.layers[layer].name}" if layer >= 0 else ""
    try:
        text = str(instruction_at(program, index))
    except ValueError as error:
        text = str(error)
    return f"instruction {index}{where} ({text})"


def emitted_per_row(loops: Instruction) -> int:
    """Return how many words a VECTOR_LOOPS makes each row of VECTOR work write."""
    return len(range(loops["emit_first"], loops["columns"], max(1, loops["emit_period"])))


def emitted_counts(program: Program, segment: Segment) -> NDArray[np.int32]:
    """Return how many words each VECTOR instruction of a segment writes."""
    per_row, counts = 0, []
    for index in range(segment.first, segment.first + segment.count):
        instruction = instruction_at(program, index)
        if instruction.opcode is Opcode.END:
            break
        if instruction.opcode is Opcode.VECTOR_LOOPS:
            per_row = emitted_per_row(instruction)
        elif instruction.opcode is Opcode.VECTOR:
            counts.append(instruction["rows"] * per_row)
    return np.array(counts, np.int32)


def short_name(name: str) -> str:
    """Return a layer's name for tables: converters join names with semicolons, without end."""
    first = name.partition(";")[0]
    return first if len(first) <= _LONGEST else "…" + first[1 - _LONGEST :]
