"""How far the maker of a stream may be ahead of its reader."""

from collections.abc import Iterable, Sequence

from .ops import Op
from .storage import Storage, Stream
from .tiling import Tile

__all__ = ["Credits"]


class Credits:
    """Count the areas of each stream that are in use.

    An area is in use from the first tile that makes rows of it to the last one that reads any;
    both are known once tiles are issued, in order.
    """

    def __init__(self, ops: Sequence[Op], storage: Storage) -> None:
        streams = storage.streams
        self._made: dict[int, str] = {}
        self._read: dict[int, list[str]] = {}
        for index, op in enumerate(ops):
            if op.out.map.name in streams:
                self._made[index] = op.out.map.name
            names = [view.map.name for _, view in op.inputs if view.map.name in streams]
            if names:
                self._read[index] = names
        readers = {name: index for index, names in self._read.items() for name in names}
        self._ends = {index: readers[name] for index, name in self._made.items()}
        self._streams = streams
        self._used = dict.fromkeys(streams, 0)
        self._open: dict[int, tuple[int, int]] = {}

    def may(self, tile: Tile) -> bool:
        """Return whether a tile may be issued: its area is in use already, or another one may."""
        name = self._made.get(tile.op)
        if name is None:
            return True
        stream = self._streams[name]
        same = self._open.get(tile.op) == _area(tile, stream)
        return same or self._used[name] < stream.depth

    def issue(self, tile: Tile, following: Tile | None) -> None:
        """Note that a tile is issued; ``following`` is its operation's next one."""
        if (name := self._made.get(tile.op)) is not None:
            area = _area(tile, self._streams[name])
            self._used[name] += self._open.get(tile.op) != area
            self._open[tile.op] = area
        for name in self._read.get(tile.op, ()):
            stream = self._streams[name]
            if following is None or _area(following, stream) != _area(tile, stream):
                self._used[name] -= 1

    def end(self, indices: Iterable[int]) -> int:
        """Return the index behind the last operation that some of these need to go on."""
        last = -1
        for index in indices:
            end = index
            while end in self._ends:
                end = self._ends[end]
            last = max(last, end)
        return last + 1


def _area(tile: Tile, stream: Stream) -> tuple[int, int]:
    return tile.chunk, tile.block if stream.by_block else -1
