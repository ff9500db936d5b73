"""Which maps lie on the chip as a whole, in pieces, or not at all; and how large bands are."""

from collections.abc import Callable, Sequence

from .constants import OpConstants
from .items import Area
from .ops import ArrayOp, Map, Op
from .storage import Rows, Storage
from .streams import Link, Work, chunk_streams, find_links
from .tiling import map_blocks, map_words
from .windows import Walk, walk_cycles

__all__ = ["Residency"]

#: Parts of the activation buffer that the bands of one operation may take, at most and while
#: operations still overlap.
LARGEST_ROOM, SMALLEST_ROOM = 4, 16

#: Share of the activation buffer that a chain of streams may take at first, and what is left of it
#: where that was too much.
STREAM_ROOM, LESS = (5, 8), (3, 4)

#: Parts of the activation buffer that one map may take as a whole, at most.
LARGEST_MAP = 3


class Residency:
    """Find room for the maps of a segment: what does not fit becomes a stream, or is spilled.

    Parameters
    ----------
    ops, walks, constants : sequence
        Operations, in topological order, and what was decided about each.
    storage : Storage
        Gets the streams and the spilled maps.
    workspace : function
        Reserves bytes of the workspace region and returns their offset.
    """

    def __init__(
        self,
        ops: Sequence[Op],
        walks: Sequence[Walk | None],
        constants: Sequence[OpConstants],
        storage: Storage,
        workspace: Callable[[int], int],
    ) -> None:
        self.ops, self.storage, self.config = ops, storage, storage.config
        self.workspace = workspace
        self.overlap = True
        self.works = [
            _work(op, walk, known, storage)
            for op, walk, known in zip(ops, walks, constants, strict=True)
        ]
        views = [view for op in ops for view in (op.out, *(view for _, view, _ in op.reads))]
        self.maps = {view.map.name: view.map for view in views}
        for op, walk in zip(ops, walks, strict=True):
            if walk is not None and op.window.kernel[0] > 1:
                storage.windowed.add(op.inputs[0][1].map.name)
        self.links = find_links(ops, storage)
        self.streaming: list[str] = []
        whole = self.config.activation_words
        self.rooms = [whole // LARGEST_ROOM] * len(ops)
        self.stream_rooms = [whole * STREAM_ROOM[0] // STREAM_ROOM[1]] * len(ops)
        for storage_map in self.maps.values():
            if map_words(storage_map, storage, self.config) > whole // LARGEST_MAP:
                self.evict(storage_map)

    def chunks(self) -> dict[int, tuple[Rows, ...]]:
        """Cut streams into chunks of output rows, per operation.

        Maps for which there is no room are spilled instead.
        """
        while True:
            links = [self.links[name] for name in self.streaming]
            streams, chunks, failed = chunk_streams(
                self.ops, self.works, links, self.storage, self.stream_rooms.__getitem__
            )
            if failed is None:
                self.storage.streams = streams
                return chunks
            self._end_stream(failed.map)

    def separate(self, op: int) -> bool:
        """End the streams from and to an operation; return whether there were any."""
        ended = [n for n in self.streaming if op in (self.links[n].maker, self.links[n].reader)]
        for name in ended:
            self._end_stream(self.maps[name])
        return bool(ended)

    def evict(self, storage_map: Map) -> None:
        """Keep a map from lying on the chip as a whole, or less of it where it is a stream."""
        link = self.links.get(storage_map.name)
        if storage_map.name in self.streaming:
            self._shorten(self.links[storage_map.name])
        elif link is not None and self.overlap and self._pays(link):
            self.streaming.append(storage_map.name)
        else:
            self._spill(storage_map)

    def victim(self, areas: Sequence[Area], failed: Area) -> Map | None:
        """Return the map to evict: of those in the way, the one with most words for longest."""
        candidates = [
            area
            for area in areas
            if area.name not in self.storage.spills
            and area.begin <= failed.end
            and failed.begin <= area.end
        ]
        if not candidates:
            return None
        worst = max(candidates, key=lambda a: (a.words * (a.end - a.begin + 1), a.name))
        return self.maps[worst.name]

    def tighten(self) -> bool:
        """Make bands smaller, then give up overlap; return whether that was possible."""
        whole, largest = self.config.activation_words, max(self.rooms)
        if self.overlap and largest <= whole // SMALLEST_ROOM:
            self.overlap = False
            for name in list(self.streaming):
                self._end_stream(self.maps[name])
            self.rooms = [whole // LARGEST_ROOM] * len(self.ops)
            return True
        self.rooms = [min(room, largest // 2) for room in self.rooms]
        return largest > 0

    def _shorten(self, link: Link) -> None:
        """Give the chain of a stream less room; if it has little, spill the map."""
        least = self.config.activation_words // SMALLEST_ROOM
        chain = self._chain(link)
        last = chain[-1]
        if self.stream_rooms[last] <= least:
            self._end_stream(link.map)
            return
        self.stream_rooms[last] = self.stream_rooms[last] * LESS[0] // LESS[1]
        for index in chain:
            self.rooms[index] = max(least, self.rooms[index] // 2)

    def _chain(self, link: Link) -> list[int]:
        """Return the operations that streams connect with one, in order."""
        links = [self.links[name] for name in self.streaming]
        found = {link.maker, link.reader}
        while True:
            near = [k for k in links if (k.maker in found) != (k.reader in found)]
            if not near:
                return sorted(found)
            found |= {end for k in near for end in (k.maker, k.reader)}

    def _pays(self, link: Link) -> bool:
        """Return whether a stream may be faster than memory."""
        maker, works = self.ops[link.maker], self.works
        before = sum(map_blocks(view.map, self.config) for _, view in maker.inputs)
        if map_blocks(link.map, self.config) < before:
            return False  # so small that chains had better end there
        array = min(works[link.maker].array, works[link.reader].array)
        beats = map_words(link.map, self.storage, self.config) * self.config.word_bytes
        if HIDDEN * beats <= array * self.config.bus_bytes:
            return False
        if not link.overlaps:
            return True
        streamed = any(view.map.name in self.streaming for _, view in maker.inputs)
        return isinstance(maker, ArrayOp) and link.by_block and not streamed

    def _end_stream(self, storage_map: Map) -> None:
        self.streaming.remove(storage_map.name)
        del self.links[storage_map.name]
        self._spill(storage_map)

    def _spill(self, storage_map: Map) -> None:
        names = {edge.view.map.name for edge in self.storage.inputs}
        self.storage.spills[storage_map.name] = 0
        if storage_map.name not in names:
            size = self.config.word_bytes * map_words(storage_map, self.storage, self.config)
            self.storage.spills[storage_map.name] = self.workspace(size)


#: Operations of the array that take so many times as long as a map's way to memory hide it.
HIDDEN = 4


def _work(op: Op, walk: Walk | None, constants: OpConstants, storage: Storage) -> Work:
    """Return the estimated cycles of an operation."""
    config = storage.config
    blocks, pixels = op.out.blocks(config.columns), op.height * op.width
    if walk is not None:
        cycles = walk_cycles(walk, op.height, op.width, op.residual is not None)
        return Work(array=0, vector=blocks * cycles)
    words = sum(piece.words for block in constants.blocks for piece, _, _ in block.pieces)
    return Work(array=words // config.rows * pixels, vector=blocks * pixels)
