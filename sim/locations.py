"""Where in which tensor each word lies that a segment's VECTOR work writes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..isa.config import INSTRUCTION_BYTES
from ..isa.instructions import Opcode
from ..isa.program import TILE_COLUMNS, Program, Segment
from .listing import instruction_at

__all__ = ["Locations", "locate"]

_Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Locations:
    """One entry per word that is written, in order; arrays of int64 of equal length.

    Parameters
    ----------
    instruction : int64 array
        Index in the program of the VECTOR instruction.
    tensor : int64 array
        Index in ``program.tensors``, or -1 where the program does not say; then the rest is 0.
    block, y, x : int64 array
        Channel block, row and column in the tensor.
    plane : int64 array
        0 for codes; for one bit of each code, packed into an eighth of the word, its plane plus 1.
    """

    instruction: _Ints
    tensor: _Ints
    block: _Ints
    y: _Ints
    x: _Ints
    plane: _Ints


def locate(program: Program, segment: Segment, counts: NDArray[np.int32]) -> Locations:
    """Return where the words that a segment writes belong.

    Parameters
    ----------
    program, segment : Program, Segment
        What ran.
    counts : int32 array
        Words that each VECTOR instruction wrote, in order, as in a :class:`Run`.

    Raises
    ------
    ValueError
        Counts that do not fit the segment's VECTOR instructions.
    """
    vectors = _vector_indices(program, segment)
    if len(vectors) != len(counts):
        raise ValueError(f"{len(counts)} counts for {len(vectors)} VECTOR instructions")
    rows = np.array([instruction_at(program, int(k))["rows"] for k in vectors], np.int64)
    per_row = counts // np.maximum(rows, 1)
    if not np.array_equal(rows * per_row, counts):
        raise ValueError("the counts are no multiples of the VECTOR instructions' rows")

    job = np.repeat(np.arange(len(vectors)), counts)
    position = np.arange(len(job)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, emission = np.divmod(position, per_row[job])
    tile = _tiles_of(program, vectors)[job]
    transposed = tile[:, 5] != 0
    return Locations(
        instruction=vectors[job],
        tensor=tile[:, 1],
        block=tile[:, 2],
        y=tile[:, 3] + np.where(transposed, emission, row),
        x=tile[:, 4] + np.where(transposed, row, emission),
        plane=tile[:, 6],
    )


def _vector_indices(program: Program, segment: Segment) -> _Ints:
    """Return the indices of a segment's VECTOR instructions, in order."""
    first = segment.first * INSTRUCTION_BYTES
    code = program.code[first : first + segment.count * INSTRUCTION_BYTES]
    opcodes = np.frombuffer(code, np.uint8)[::INSTRUCTION_BYTES]
    ended = np.cumsum(opcodes == Opcode.END) > 0
    return segment.first + np.flatnonzero((opcodes == Opcode.VECTOR) & ~ended).astype(np.int64)


def _tiles_of(program: Program, vectors: _Ints) -> _Ints:
    """Return the row of ``program.tiles`` for each VECTOR instruction; tensor -1 if it has none."""
    count = len(program.code) // INSTRUCTION_BYTES
    tiles = np.zeros((count, len(TILE_COLUMNS)), np.int64)
    tiles[:, 1] = -1
    tiles[program.tiles[:, 0]] = program.tiles
    return tiles[vectors]
