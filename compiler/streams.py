"""Maps that pass from one operation to the next in pieces, and never lie on the chip as a whole.

The reader works in *chunks* of rows, and for each of them the maker makes exactly the rows that the
reader's windows touch. Rows that two chunks touch are made twice, so that each chunk is one area of
the buffer with rows at a constant stride.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from .ops import ArrayOp, Map, Op, VectorOp
from .storage import Rows, Storage, Stream
from .tiling import even_parts, map_blocks, map_words

__all__ = ["Link", "Work", "chunk_streams", "find_links"]

#: Areas of a stream that may be in use together, where the reader takes one block at a time and
#: where it takes all.
BLOCKS_DEPTH, WHOLE_DEPTH = 2, 2


@dataclass(frozen=True, kw_only=True)
class Link:
    """A map between the one operation that makes it and the one that reads it."""

    map: Map
    maker: int
    reader: int
    overlaps: bool
    by_block: bool


def find_links(ops: Sequence[Op], storage: Storage) -> dict[str, Link]:
    """Return the maps that could be streams, by name."""
    makers: dict[str, list[int]] = {}
    readers: dict[str, list[int]] = {}
    for index, op in enumerate(ops):
        makers.setdefault(op.out.map.name, []).append(index)
        for _, view, _ in op.reads:
            readers.setdefault(view.map.name, []).append(index)
    found = {}
    for name, made in makers.items():
        read = readers.get(name, [])
        if len(made) == len(read) == 1 and not storage.external(ops[made[0]].out.map):
            link = _link(ops, made[0], read[0], storage)
            if link is not None:
                found[name] = link
    return found


def _link(ops: Sequence[Op], maker: int, reader: int, storage: Storage) -> Link | None:
    """Return how one operation reads what another makes, if rows can pass in order."""
    made, op = ops[maker], ops[reader]
    view, window = op.inputs[0][1], op.window
    whole = (made.out.block, made.out.channels) == (0, made.out.map.channels)
    same = view == made.out and (view.map.height, view.map.width) == (made.height, made.width)
    wide = max(made.width if isinstance(made, ArrayOp) else 1, op.width)
    if not (whole and same) or wide > storage.config.accumulator_pixels:
        return None
    reach = (window.kernel[0] - 1) * window.dilation[0] + 1
    return Link(
        map=view.map,
        maker=maker,
        reader=reader,
        overlaps=reach > window.stride[0],
        by_block=isinstance(op, VectorOp),
    )


@dataclass(frozen=True, kw_only=True)
class Work:
    """Cycles that an operation keeps the array and the vector unit."""

    array: int
    vector: int


def chunk_streams(
    ops: Sequence[Op],
    works: Sequence[Work],
    links: Collection[Link],
    storage: Storage,
    room: Callable[[int], int],
) -> tuple[dict[str, Stream], dict[int, tuple[Rows, ...]], Link | None]:
    """Cut maps into chunks, of all sizes that fit into that which takes the least time.

    Parameters
    ----------
    ops, works : sequence of Op, of Work
        Operations, and the time that they take.
    links : collection of Link
        The streams.
    storage : Storage
        Sizes of rows.
    room : function
        From the operation that a chain of streams ends with to the words that it may take.

    Returns
    -------
    streams : dict of str to Stream
        By map.
    chunks : dict of int to tuple of Rows
        Output rows of the operations that make or read streams, chunk by chunk.
    failed : Link or None
        The largest map of a chain that finds no room.
    """
    streams: dict[str, Stream] = {}
    chunks: dict[int, tuple[Rows, ...]] = {}
    for last in sorted({link.reader for link in links} - {link.maker for link in links}):
        chain = _chain(last, links)
        cuts = [_cut(ops, chain, last, count, storage) for count in range(1, ops[last].height + 1)]
        fitting = [cut for cut in cuts if _words(chain, cut[0], storage) <= room(last)]
        if not fitting:
            worst = max(
                chain, key=lambda k: (map_words(k.map, storage, storage.config), k.map.name)
            )
            return {}, {}, worst
        found, made = min(fitting, key=lambda cut: _time(ops, works, last, cut[1]))
        streams |= found
        chunks |= made
    return streams, chunks, None


def _chain(last: int, links: Collection[Link]) -> list[Link]:
    """Return the streams that lead to an operation, the nearest first."""
    chain, ends = [], [last]
    while ends:
        end = ends.pop()
        before = sorted((k for k in links if k.reader == end), key=lambda k: k.maker)
        chain += before
        ends += [link.maker for link in before]
    return chain


def _size(storage_map: Map, storage: Storage) -> tuple[int, str]:
    return map_words(storage_map, storage, storage.config), storage_map.name


Cut = tuple[dict[str, Stream], dict[int, tuple[Rows, ...]]]


def _cut(ops: Sequence[Op], chain: Sequence[Link], last: int, count: int, storage: Storage) -> Cut:
    """Return the streams and chunks of a chain whose last operation works in ``count`` chunks."""
    height = ops[last].height
    parts = even_parts(height, -(-height // count))
    made = {last: tuple((first, first + rows) for first, rows in parts)}
    found = {}
    for link in chain:
        made[link.maker] = _covering(ops[link.reader], made[link.reader], link.map.height)
        found[link.map.name] = Stream(
            rows=made[link.maker],
            by_block=link.by_block,
            depth=BLOCKS_DEPTH if link.by_block else WHOLE_DEPTH,
        )
    return found, made


def _covering(op: Op, parts: Sequence[Rows], height: int) -> tuple[Rows, ...]:
    """Return the rows that each chunk reads; those that none reads go to the one before."""
    rows = [op.window.rows(first, stop - first, height) for first, stop in parts]
    edges = [start for start, _ in rows[1:]] + [height]
    stops = [max(stop, edge) for (_, stop), edge in zip(rows, edges, strict=True)]
    starts = [0] + [start for start, _ in rows[1:]]
    return tuple(zip(starts, stops, strict=True))


def _time(
    ops: Sequence[Op], works: Sequence[Work], last: int, made: Mapping[int, Sequence[Rows]]
) -> float:
    """Return the cycles of a chain: both engines at once, then the last chunk of what ends it."""
    array = vector = 0.0
    for index, rows in made.items():
        share = sum(stop - start for start, stop in rows) / ops[index].height
        array += share * works[index].array
        vector += share * works[index].vector
    rest = works[last].array / len(made[last])
    return max(array - rest, vector) + rest


def _words(chain: Sequence[Link], streams: Mapping[str, Stream], storage: Storage) -> int:
    """Return the words that the streams of a chain take."""
    total = 0
    for link in chain:
        stream, blocks = streams[link.map.name], map_blocks(link.map, storage.config)
        areas, size = len(stream.rows), blocks
        if stream.by_block:
            areas, size = areas * blocks, 1
        rows = max(stop - start for start, stop in stream.rows)
        total += min(stream.depth, areas) * size * rows * storage.row_words(link.map)
    return total
