"""Pieces of weights: what one MAC instruction takes, small enough for the weight buffer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.layout import pack_bit_weights, pack_weights, pack_weights_folded
from .bit_source import BitSource
from .errors import CompileError
from .ops import ArrayOp, Source

__all__ = ["MAX_KERNEL", "Bits", "Piece", "pieces_of"]

#: Largest counts of a MAC's loops.
MAX_BLOCKS, MAX_KERNEL = 1023, 63


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Part of the reduction of one column block.

    Parameters
    ----------
    source : int
        Index of the operation's source.
    block, blocks : int
        First input block (of a folded row: chunk of ``rows`` bytes), and how many.
    group, groups : int
        Row groups within a block.
    kernel_row, kernel_rows : int
        Kernel rows.
    words : int
        Weight words it takes.
    bits : Bits or None
        For the bit array: ``block`` then counts words of a pixel.
    """

    source: int
    block: int
    blocks: int
    group: int
    groups: int
    kernel_row: int
    kernel_rows: int
    words: int
    bits: "Bits | None" = None

    def cycles(self, pixels: int, config: Config) -> int:
        """Return the cycles in which an array takes the operands of so many pixels."""
        size = config.columns if self.bits else config.rows
        return self.words // size * max(pixels, size)


@dataclass(frozen=True, kw_only=True)
class Bits:
    """How a piece runs on the bit array: fields of its instructions."""

    bipolar_inputs: bool
    bipolar_weights: bool
    lanes: int
    double: bool
    negative: bool


def pieces_of(
    op: ArrayOp, block: int, most: int, config: Config
) -> list[tuple[Piece, NDArray[np.uint8]]]:
    """Return the pieces of an output block with their weight words, ``most`` words at most each.

    Input blocks whose weights are all zero are left out: grouped convolutions and moves of
    channels cost what they use.

    Raises
    ------
    CompileError
        Even one kernel row of one row group does not fit.
    """
    found: list[tuple[Piece, NDArray[np.uint8]]] = []
    for index, source in enumerate(op.sources):
        outputs = slice(block * config.columns, (block + 1) * config.columns)
        part = replace(source, weight=source.weight[outputs])
        if part.bits is not None:
            _check_row(op.name, source.weight.shape[3] * config.columns, most, config)
            found += _bit_pieces(index, part, part.bits, most, config)
            continue
        packed = _packed(part, config)
        for piece in _split(index, part, most, config):
            _check_row(op.name, piece.words, most, config)
            found.append((piece, _words(packed, piece)))
    if not found:  # all weights are zero: the bias is still due
        source = replace(op.sources[0], weight=op.sources[0].weight[:1] * 0)
        piece = _first(source, config)
        found.append((piece, np.zeros((piece.words, config.word_bytes), np.uint8)))
    return found


def _check_row(name: str, words: int, most: int, config: Config) -> None:
    if words > most:
        raise CompileError(
            f"{name}: a kernel row takes {words} weight words, but "
            f"{config.name} has room for {most}; raise weight_bytes"
        )


def _bit_pieces(
    index: int, source: Source, bits: BitSource, most: int, config: Config
) -> Iterator[tuple[Piece, NDArray[np.uint8]]]:
    """Yield the pieces of an output block on the bit array: passes over planes."""
    blocks, height = source.view.map.lane_blocks, source.weight.shape[2]
    row = source.weight.shape[3] * config.columns
    planes = [
        pack_bit_weights(bits.weights.weight_bits(plane, source.weight), config)[0]
        for plane in range(len(bits.weights.values))
    ]
    for term in bits.terms:
        if term.weight_plane is None:
            yield _doubling(index, row), np.zeros((row, config.word_bytes), np.uint8)
            continue
        words = planes[term.weight_plane].reshape(blocks, height, row, config.word_bytes)
        for block, kernel_row, count, rows in _cut(blocks, height, row, most):
            rest = source.weight.shape[1] - (blocks - 1) * config.bit_lanes
            piece = Piece(
                source=index,
                block=term.plane * blocks + block,
                blocks=count,
                group=0,
                groups=1,
                kernel_row=kernel_row,
                kernel_rows=rows,
                words=count * rows * row,
                bits=Bits(
                    bipolar_inputs=bits.inputs.bipolar,
                    bipolar_weights=bits.weights.bipolar,
                    lanes=rest if block + count == blocks else config.bit_lanes,
                    double=term.double and not block and not kernel_row,
                    negative=term.negative,
                ),
            )
            part = words[block : block + count, kernel_row : kernel_row + rows]
            yield piece, part.reshape(-1, config.word_bytes)


def _doubling(index: int, words: int) -> Piece:
    """Return a piece whose weights are zero: it doubles what accumulators hold."""
    bits = Bits(bipolar_inputs=False, bipolar_weights=False, lanes=1, double=True, negative=False)
    return Piece(
        source=index,
        block=0,
        blocks=1,
        group=0,
        groups=1,
        kernel_row=0,
        kernel_rows=1,
        words=words,
        bits=bits,
    )


def _cut(blocks: int, height: int, row: int, most: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield first block, first kernel row, and counts of both, of at most so many words."""
    if height * row <= most:
        step = min(most // (height * row), MAX_BLOCKS)
        for block in range(0, blocks, step):
            yield block, 0, min(step, blocks - block), height
        return
    for block, kernel_row in product(range(blocks), range(height)):
        yield block, kernel_row, 1, 1


def _shape(source: Source, config: Config) -> tuple[int, int, int]:
    """Return input blocks, row groups, and weight words of one kernel row of one of them."""
    _, channels, _, width = source.weight.shape
    if source.view.map.folded:
        return -(-channels * width // config.rows), 1, config.rows
    return -(-channels // config.columns), config.row_groups, width * config.rows


def _groups(source: Source, config: Config) -> int:
    """Return the row groups of a block that hold channels."""
    channels = int(source.weight.shape[1])
    if source.view.map.folded or channels >= config.columns:
        return _shape(source, config)[1]
    return -(-channels // config.rows)


def _first(source: Source, config: Config) -> Piece:
    words = _shape(source, config)[2]
    return Piece(
        source=0, block=0, blocks=1, group=0, groups=1, kernel_row=0, kernel_rows=1, words=words
    )


def _runs(used: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield first and count of runs of used blocks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], used.astype(np.int8), [0]])))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(stop - first)


def _used(source: Source, config: Config) -> NDArray[np.bool_]:
    blocks, _, _ = _shape(source, config)
    if source.view.map.folded:
        return np.full(blocks, source.weight.any())
    channels: NDArray[np.bool_] = np.any(source.weight != 0, axis=(0, 2, 3))
    padded = np.zeros(blocks * config.columns, bool)
    padded[: len(channels)] = channels
    used: NDArray[np.bool_] = np.any(padded.reshape(blocks, -1), axis=1)
    return used


def _split(index: int, source: Source, most: int, config: Config) -> Iterator[Piece]:
    height = source.weight.shape[2]
    groups, row = _groups(source, config), _shape(source, config)[2]
    whole = groups * height * row
    for first, count in _runs(_used(source, config)):
        step = max(1, min(most // whole, MAX_BLOCKS))
        for block in range(first, first + count, step):
            piece = Piece(
                source=index,
                block=block,
                blocks=min(step, first + count - block),
                group=0,
                groups=groups,
                kernel_row=0,
                kernel_rows=height,
                words=0,
            )
            yield from _fit(piece, row, most)


def _fit(piece: Piece, row: int, most: int) -> Iterator[Piece]:
    """Yield a piece, or its parts by row group and kernel row where it is too large."""
    words = piece.blocks * piece.groups * piece.kernel_rows * row
    if words <= most:
        yield replace(piece, words=words)
    elif piece.groups > 1:
        for group in range(piece.groups):
            yield from _fit(replace(piece, group=group, groups=1), row, most)
    elif piece.kernel_rows > 1:
        for kernel_row in range(piece.kernel_rows):
            yield from _fit(replace(piece, kernel_row=kernel_row, kernel_rows=1), row, most)
    else:
        yield replace(piece, words=words)


def _packed(source: Source, config: Config) -> NDArray[np.uint8]:
    """Return weight words ``(block, group, kernel row, word, byte)`` in a MAC's order of loops."""
    blocks, groups, row = _shape(source, config)
    pack = pack_weights_folded if source.view.map.folded else pack_weights
    words = pack(source.weight, config)[0]
    shape = (blocks, groups, source.weight.shape[2], row, config.word_bytes)
    return np.reshape(words, shape)


def _words(packed: NDArray[np.uint8], piece: Piece) -> NDArray[np.uint8]:
    """Return the weight words of a piece."""
    part = packed[
        piece.block : piece.block + piece.blocks,
        piece.group : piece.group + piece.groups,
        piece.kernel_row : piece.kernel_row + piece.kernel_rows,
    ]
    return np.ascontiguousarray(part.reshape(-1, packed.shape[-1]))
