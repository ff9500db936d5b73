"""A segment's instructions as plain dictionaries of fields, decoded all at once."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...isa.config import INSTRUCTION_BYTES
from ...isa.instructions import FORMATS, Opcode, VectorSource
from ...isa.program import Program, Segment
from ...isa.registers import Error
from ..listing import describe_instruction
from ..result import SimulationError

__all__ = ["Fields", "Listing", "list_segment"]

#: Fields of an instruction by name.
Fields = Mapping[str, int]

#: Opcode and fields of each instruction, in order; END is the last.
Listing = list[tuple[Opcode, Fields]]

_WORDS = INSTRUCTION_BYTES // 8

#: Settings that jobs need, and their counts, none of which may be 0.
_NEEDS: Mapping[Opcode, Mapping[Opcode, tuple[str, ...]]] = {
    Opcode.MAC: {
        Opcode.MAC_LOOPS: ("blocks", "groups", "kernel_rows", "kernel_columns", "columns")
    },
    Opcode.VECTOR: {
        Opcode.VECTOR_LOOPS: ("columns", "kernel_rows", "kernel_columns", "emit_period"),
        Opcode.VECTOR_REQUANTIZE: (),
    },
}


def list_segment(program: Program, segment: Segment) -> Listing:
    """Return a segment's instructions up to END.

    Raises
    ------
    SimulationError
        An opcode that does not exist, another configuration, or no END.
    """
    first, size = segment.first, INSTRUCTION_BYTES
    code = program.code[first * size : (first + segment.count) * size]
    words = np.frombuffer(code, "<u8").reshape(-1, _WORDS)
    opcodes = (words[:, 0] & np.uint64(0xFF)).astype(np.int64)
    words, opcodes = _until_end(words, opcodes, segment)
    listing: list[tuple[Opcode, Fields] | None] = [None] * len(opcodes)
    for opcode in FORMATS:
        rows = np.flatnonzero(opcodes == opcode)
        for row, fields in zip(rows.tolist(), _decode(words[rows], opcode), strict=True):
            listing[row] = opcode, fields
    return _checked(program, first, listing)


def _until_end(
    words: NDArray[np.uint64], opcodes: NDArray[np.int64], segment: Segment
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    ends = np.flatnonzero(opcodes == Opcode.END)
    if not ends.size:
        raise SimulationError(
            f"the segment has no END within its {segment.count} instructions",
            error=Error.NO_END,
            index=segment.first + segment.count,
        )
    count = int(ends[0]) + 1
    return words[:count], opcodes[:count]


def _decode(words: NDArray[np.uint64], opcode: Opcode) -> list[Fields]:
    """Return the fields of instructions of one opcode."""
    names, columns, position = [], [], 0
    for field in FORMATS[opcode]:
        value = _bits(words, position, field.width)
        if field.signed:
            half = 1 << (field.width - 1)
            value = (value ^ half) - half
        names.append(field.name)
        columns.append(value.tolist())
        position += field.width
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _bits(words: NDArray[np.uint64], position: int, width: int) -> NDArray[np.int64]:
    word, shift = divmod(position, 64)
    value = words[:, word] >> np.uint64(shift)
    if shift + width > 64:
        value = value | (words[:, word + 1] << np.uint64(64 - shift))
    return (value & np.uint64((1 << width) - 1)).astype(np.int64)


def _checked(program: Program, first: int, listing: list[tuple[Opcode, Fields] | None]) -> Listing:
    """Return a listing in which nothing is wrong."""
    checked: Listing = []
    settings: dict[Opcode, Fields] = {}
    for index, item in enumerate(listing, start=first):
        if item is None:
            raise _error(program, index, Error.ILLEGAL_OPCODE.name, Error.ILLEGAL_OPCODE)
        opcode, fields = item
        right = fields.get("config_id") == program.config.id
        if (opcode is Opcode.CONFIG or index == first) and not right:
            raise _error(program, index, Error.WRONG_CONFIG.name, Error.WRONG_CONFIG)
        if opcode in _NEEDS:
            if problem := _problem(opcode, fields, settings):
                raise _error(program, index, problem)
        else:
            settings[opcode] = fields
        checked.append(item)
    return checked


def _problem(opcode: Opcode, fields: Fields, settings: Mapping[Opcode, Fields]) -> str:
    """Return what is wrong with a job, or nothing."""
    for name, counts in _NEEDS[opcode].items():
        if name not in settings:
            return f"{opcode.name} before {name.name}"
        values = settings[name]
        drains = opcode is Opcode.VECTOR and values.get("source") == VectorSource.ACCUMULATOR
        for count in counts:
            if not values[count] and not (drains and count.startswith("kernel")):
                return f"{name.name}.{count} is 0"
    return "" if fields["rows"] else f"{opcode.name}.rows is 0"


def _error(
    program: Program, index: int, problem: str, error: Error = Error.NONE
) -> SimulationError:
    where = describe_instruction(program, index)
    return SimulationError(f"{problem} at {where}", error=error, index=index)
