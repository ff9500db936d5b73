"""Tiles: which rows, columns and channel blocks of an output one job makes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ..isa.config import Config
from .errors import CompileError
from .ops import ArrayOp, Map, Op, View
from .storage import Rows, Storage
from .windows import Walk, walk_cycles

__all__ = [
    "Tile",
    "Tiling",
    "blocks_of",
    "even_parts",
    "map_blocks",
    "map_words",
    "op_rows",
    "tiling_of",
]

#: A layer whose weights stay has up to this many bands, for the next layer to follow closely, of
#: at least so many pixels, to hide the start of a drain.
STREAM_BANDS, STREAM_PIXELS = 8, 128

#: Cycles of a job of the vector unit that is no drain, at least and at most: many short ones cost
#: instructions, long ones keep drains waiting.
VECTOR_CYCLES = (448, 1024)

#: Blocks whose rows of a spilled output or second operand are in the buffer together.
GROUP = 8

#: Largest counts of rows and columns.
MAX_COUNT = 4095


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Part of an operation's output: one job of its engine.

    Parameters
    ----------
    op : int
        Index of the operation.
    chunk : int
        Index of the bands that belong together, see :mod:`shiftloom.compiler.streams`.
    band : int
        Index of the rows.
    y, rows, x, columns : int
        The output's part.
    block : int
        Channel block of the operation's own output view.
    group : tuple of int
        First block and count of the blocks whose rows come and go together where maps are spilled.
    last : bool
        Last tile of its group in its band.
    """

    op: int
    chunk: int
    band: int
    y: int
    rows: int
    x: int
    columns: int
    block: int
    group: tuple[int, int]
    last: bool


@dataclass(frozen=True)
class Tiling:
    """Rows of bands, chunk by chunk, and columns of their parts, each as ``(first, count)``.

    Within a chunk either bands are the outer loop or, with ``by_block``, channel blocks are.
    """

    chunks: tuple[tuple[tuple[int, int], ...], ...]
    parts: tuple[tuple[int, int], ...]
    by_block: bool = False

    @property
    def bands(self) -> tuple[tuple[int, int], ...]:
        """Rows of all bands."""
        return tuple(band for chunk in self.chunks for band in chunk)

    def group(self, block: int, blocks: int) -> tuple[int, int]:
        """Return first and count of a block's group; with several parts all blocks are one."""
        if len(self.parts) > 1:
            return 0, blocks
        first = block - block % GROUP
        return first, min(GROUP, blocks - first)

    def tiles(self, op: int, blocks: int) -> Iterator[Tile]:
        """Yield tiles: chunks, then bands, parts and channel blocks."""
        before = 0
        for chunk, bands in enumerate(self.chunks):
            for band, part, block in self._order(len(bands), blocks):
                group = self.group(block, blocks)
                yield Tile(
                    op=op,
                    chunk=chunk,
                    band=before + band,
                    y=bands[band][0],
                    rows=bands[band][1],
                    x=self.parts[part][0],
                    columns=self.parts[part][1],
                    block=block,
                    group=group,
                    last=part == len(self.parts) - 1 and block == sum(group) - 1,
                )
            before += len(bands)

    def _order(self, bands: int, blocks: int) -> Iterator[tuple[int, int, int]]:
        """Yield band, part and block of a chunk's tiles."""
        counts = bands, len(self.parts), blocks
        if not self.by_block:
            yield from product(*map(range, counts))
            return
        for block, part, band in product(*map(range, reversed(counts))):
            yield band, part, block


def even_parts(total: int, most: int) -> tuple[tuple[int, int], ...]:
    """Split a count into parts of at most ``most``, as even as they can be."""
    parts = -(-total // most)
    size = -(-total // parts)
    return tuple((first, min(size, total - first)) for first in range(0, total, size))


def op_rows(op: Op, walk: Walk | None, resident: bool, storage: Storage, room: int) -> int:
    """Return the most rows of a band; bands of spilled maps take ``room`` words where they can.

    Raises
    ------
    CompileError
        One row of input and output does not fit the activation buffer.
    """
    config, most = storage.config, MAX_COUNT
    if isinstance(op, ArrayOp):
        target = config.accumulator_pixels
        if resident:
            target = min(target, max(STREAM_PIXELS, op.height * op.width // STREAM_BANDS))
        most = target // _columns(op, config)
    elif walk is not None:
        least, longest = VECTOR_CYCLES
        limit = min(longest, max(least, _vector_cycles(op, walk, op.height) // STREAM_BANDS))
        most = _largest(op.height, lambda rows: _vector_cycles(op, walk, rows) <= limit)
    fitting = _largest(op.height, lambda rows: _transient(op, storage, rows, config) <= room)
    need = _transient(op, storage, fitting, config)
    if need > config.activation_words:
        raise CompileError(
            f"{op.name}: one row of its input and output takes {need * config.word_bytes} bytes, "
            f"but {config.name} has {config.activation_bytes}; raise activation_bytes"
        )
    return max(1, min(most, fitting))


def tiling_of(
    op: Op, most: int, chunks: Sequence[Rows], resident: bool, storage: Storage
) -> Tiling:
    """Return the tiles of an operation in bands of ``most`` rows.

    Operations that make or read streams have ``chunks`` of rows.
    """
    parts = even_parts(op.width, _columns(op, storage.config))
    if not chunks:
        return Tiling(tuple((band,) for band in even_parts(op.height, most)), parts)
    by_block = not resident or _passes_blocks(op, storage)
    return Tiling(tuple(_bands(rows, most) for rows in chunks), parts, by_block)


def _columns(op: Op, config: Config) -> int:
    """Return the most columns of a tile."""
    return min(op.width, config.accumulator_pixels if isinstance(op, ArrayOp) else MAX_COUNT)


def _passes_blocks(op: Op, storage: Storage) -> bool:
    """Return whether an operation takes part in a stream that is read block by block."""
    names = (op.out.map.name, *(view.map.name for _, view in op.inputs))
    return any(name in storage.streams and storage.streams[name].by_block for name in names)


def _bands(rows: Rows, most: int) -> tuple[tuple[int, int], ...]:
    start, stop = rows
    return tuple((start + first, count) for first, count in even_parts(stop - start, most))


def _vector_cycles(op: Op, walk: Walk, rows: int) -> int:
    return walk_cycles(walk, rows, op.width, op.residual is not None)


def _largest(high: int, fits: Callable[[int], bool]) -> int:
    """Return the largest count of at least 1 that fits."""
    low = 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _transient(op: Op, storage: Storage, rows: int, config: Config) -> int:
    """Return the words of band buffers that an operation needs for output rows."""
    words, most = 0, op.out.blocks(config.columns)
    if not isinstance(op, ArrayOp) or op.width <= config.accumulator_pixels:
        most = min(most, GROUP)
    for _, view, windowed in op.reads:
        if storage.spilled(view.map):
            whole = windowed and isinstance(op, ArrayOp)
            reach = (rows - 1) * op.window.stride[0]
            reach += (op.window.kernel[0] - 1) * op.window.dilation[0] + 1
            count = min(reach, view.map.height) if windowed else rows
            words += _band(view, count, storage, blocks_of(view, config) if whole else most)
    if storage.spilled(op.out.map):
        words += _band(op.out, rows, storage, most)
    return words


def _band(view: View, rows: int, storage: Storage, blocks: int) -> int:
    return blocks * rows * storage.row_words(view.map)


def blocks_of(view: View, config: Config) -> int:
    """Return the blocks of a view; a folded map is one."""
    return 1 if view.map.folded else view.blocks(config.columns)


def map_blocks(storage_map: Map, config: Config) -> int:
    """Return the blocks of a whole map; a folded one is one."""
    return 1 if storage_map.folded else -(-storage_map.channels // config.columns)


def map_words(storage_map: Map, storage: Storage, config: Config) -> int:
    """Return the words of a whole map."""
    return map_blocks(storage_map, config) * storage_map.height * storage.row_words(storage_map)
