"""Region 0: weights and parameters, each part where a LOAD can take it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.layout import pack_parameters, pack_taps, pack_thresholds
from .bounds import check_bounds
from .ops import ArrayOp, Op
from .weights import Piece, pieces_of
from .windows import Walk

__all__ = ["Chunk", "Constants", "OpConstants", "Pieces", "op_constants"]

Bytes = NDArray[np.uint8]

#: Weight words that one LOAD brings for layers whose weights all stay.
RESIDENT_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """What one LOAD brings: words of a buffer, and where they lie in region 0."""

    offset: int
    words: int


@dataclass
class Constants:
    """Contents of region 0, growing."""

    config: Config
    parts: list[Bytes] = field(default_factory=list)
    size: int = 0

    def add(self, data: Bytes) -> int:
        """Append bytes; return their aligned offset."""
        offset = self.size
        padding = -data.size % self.config.align_bytes
        self.parts += [data.reshape(-1), np.zeros(padding, np.uint8)]
        self.size += data.size + padding
        return offset

    def to_bytes(self) -> bytes:
        """Return everything."""
        return b"".join(part.tobytes() for part in self.parts)


@dataclass(frozen=True)
class Pieces:
    """Of a column block: pieces, each with the chunk that holds its weights and the word there."""

    pieces: tuple[tuple[Piece, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class OpConstants:
    """Constants of an operation.

    Parameters
    ----------
    weights : tuple of Chunk
        In the order of use.
    resident : bool
        All weights stay in the buffer while the operation runs.
    blocks : tuple of Pieces
        Per column block; empty on the vector unit.
    parameters : tuple of Chunk
        In the order of use.
    lookup : tuple of (int, int)
        Per column block: its parameter chunk, and the parameter word within.
    """

    weights: tuple[Chunk, ...]
    resident: bool
    blocks: tuple[Pieces, ...]
    parameters: tuple[Chunk, ...]
    lookup: tuple[tuple[int, int], ...]


def op_constants(op: Op, walk: Walk | None, constants: Constants) -> OpConstants:
    """Pack an operation's weights and parameters into region 0.

    Raises
    ------
    CompileError
        They cannot fit a buffer, or a sum could leave 32 bits.
    """
    config = constants.config
    check_bounds(op)
    words = _parameter_words(op, walk, config)
    parameters, lookup = _parameter_chunks(words, constants)
    if not isinstance(op, ArrayOp):
        return OpConstants(
            weights=(), resident=True, blocks=(), parameters=parameters, lookup=lookup
        )
    count = op.out.blocks(config.columns)
    # A serial machine loads one piece while it works with another.
    most = config.weight_words // (2 if config.serial else 4)
    found = [pieces_of(op, block, most, config) for block in range(count)]
    total = sum(piece.words for block in found for piece, _ in block)
    resident = total <= config.weight_words // 2
    chunks, blocks = _weight_chunks(
        found, min(RESIDENT_CHUNK, most) if resident else most, constants
    )
    return OpConstants(
        weights=chunks, resident=resident, blocks=blocks, parameters=parameters, lookup=lookup
    )


def _weight_chunks(
    found: list[list[tuple[Piece, Bytes]]], most: int, constants: Constants
) -> tuple[tuple[Chunk, ...], tuple[Pieces, ...]]:
    chunks: list[list[Bytes]] = []
    blocks, size = [], 0
    for block in found:
        placed = []
        for piece, words in block:
            if not chunks or size + len(words) > most:
                chunks.append([])
                size = 0
            placed.append((piece, len(chunks) - 1, size))
            chunks[-1].append(words)
            size += len(words)
        blocks.append(Pieces(tuple(placed)))
    made = []
    for parts in chunks:
        data = np.concatenate(parts)
        made.append(Chunk(offset=constants.add(data), words=len(data)))
    return tuple(made), tuple(blocks)


def _parameter_words(op: Op, walk: Walk | None, config: Config) -> list[Bytes]:
    """Return per column block its words ``(words, bytes)``; one entry if all blocks are alike.

    A block's words are the parameter word, tap words and threshold words, in this order.
    """
    count = op.out.blocks(config.columns)
    bias = op.bias.copy()
    if isinstance(op, ArrayOp):
        for source in op.sources:
            if not source.view.map.signed and source.bits is None:
                bias += 128 * source.weight.astype(np.int64).sum(axis=(1, 2, 3))
    first = pack_parameters(bias, op.shifts, op.mid_bias, config)
    compared = _threshold_words(op, config)
    if walk is None:
        return [np.concatenate([first[b : b + 1], compared[b]]) for b in range(count)]
    shared = len(walk.taps) == 1
    plain = len(set(op.requantize.shift)) == 1 and not bias.any() and not op.mid_bias.any()
    channels = config.columns if shared else op.out.channels
    taps = np.broadcast_to(walk.taps, (channels, *walk.taps.shape[1:]))
    words = pack_taps(taps, config)
    if shared and plain:
        lane = np.full(config.columns, op.requantize.shift[0], np.int64)
        first, count = pack_parameters(lane * 0, lane, lane * 0, config), 1
    return [
        np.concatenate([first[b : b + 1], words[0 if shared else b], compared[b]])
        for b in range(count)
    ]


def _threshold_words(op: Op, config: Config) -> Bytes:
    """Return threshold words ``(blocks, words, bytes)``; without thresholds there are none."""
    if op.thresholds is None:
        return np.zeros((op.out.blocks(config.columns), 0, config.parameter_word_bytes), np.uint8)
    values = op.thresholds.values
    shape = op.out.channels, values.shape[1]
    return pack_thresholds(np.broadcast_to(values, shape), op.threshold_bits, config)


def _parameter_chunks(
    words: list[Bytes], constants: Constants
) -> tuple[tuple[Chunk, ...], tuple[tuple[int, int], ...]]:
    config = constants.config
    chunks: list[Chunk] = []
    lookup: list[tuple[int, int]] = []
    most = max(config.parameter_words // 4, len(words[0]))
    step = max(1, most // len(words[0]))
    for first in range(0, len(words), step):
        data = np.concatenate(words[first : first + step])
        lookup += [
            (len(chunks), k * len(words[0])) for k in range(len(words[first : first + step]))
        ]
        units = data.size // config.word_bytes
        chunks.append(Chunk(offset=constants.add(data), words=units))
    return tuple(chunks), tuple(lookup)
