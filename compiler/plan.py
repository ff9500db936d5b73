"""Decisions for one segment: what stays on the chip, tiles, order, addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..isa.config import Config
from .allocate import allocate
from .constants import Constants, OpConstants, op_constants
from .errors import CompileError
from .items import Area, Item
from .ops import ArrayOp, Map, Op, VectorOp
from .order import Job, Plan, schedule
from .ring import RoomError
from .sequence import sequence
from .storage import Rows, Storage
from .streams import Link, Work, chunk_streams, find_links
from .tiling import map_blocks, map_words, tiling_of
from .windows import Walk, choose_walk, walk_cycles

__all__ = ["Planned", "plan_segment"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """Work of a segment in order, every address known."""

    plans: list[Plan]
    jobs: list[Job]
    items: list[Item]
    areas: list[Area]


def plan_segment(
    ops: Sequence[Op],
    storage: Storage,
    constants: Constants,
    workspace: Callable[[int], int],
) -> Planned:
    """Decide everything about a segment.

    Maps that do not fit beside the others are spilled, largest and longest-lived first.

    Parameters
    ----------
    ops : sequence of Op
        In topological order.
    storage : Storage
        Gets the spilled maps.
    constants : Constants
        Gets the weights and parameters.
    workspace : function
        Reserves bytes of the workspace region and returns their offset.

    Raises
    ------
    CompileError
        A layer cannot fit.
    """
    return _Planner(ops, storage, constants, workspace).run()


#: Parts of the activation buffer that the bands of one operation may take, at most and while
#: operations still overlap.
LARGEST_ROOM, SMALLEST_ROOM = 4, 16

#: Sixteenths of the activation buffer that a chain of streams may take at most.
STREAM_ROOM = 12


class _Planner:
    def __init__(
        self,
        ops: Sequence[Op],
        storage: Storage,
        constants: Constants,
        workspace: Callable[[int], int],
    ) -> None:
        self.ops, self.storage, self.config = ops, storage, storage.config
        self.workspace = workspace
        self.alone: set[int] = set()
        self.streaming: list[str] = []
        self.stream_room = STREAM_ROOM * self.config.activation_words // 16
        self.room, self.hurry = self.config.activation_words // LARGEST_ROOM, True
        self.walks = [_walk(op, self.config) for op in ops]
        self.constants: list[OpConstants] = [
            op_constants(op, walk, constants) for op, walk in zip(ops, self.walks, strict=True)
        ]
        views = [view for op in ops for view in (op.out, *(view for _, view, _ in op.reads))]
        self.maps = {view.map.name: view.map for view in views}
        for op, walk in zip(ops, self.walks, strict=True):
            if walk is not None and op.window.kernel[0] > 1:
                storage.windowed.add(op.inputs[0][1].map.name)

    def run(self) -> Planned:
        limit = self.config.activation_words // 3
        self.links = find_links(self.ops, self.storage)
        self.works = [self._work(index) for index in range(len(self.ops))]
        for storage_map in self.maps.values():
            if map_words(storage_map, self.storage, self.config) > limit:
                self._evict(storage_map)
        while True:
            planned = self._attempt()
            failed = allocate(planned.areas, self.config.activation_words)
            if failed is None:
                return planned
            victim = self._victim(planned.areas, failed)
            if victim is None:
                self._tighten(failed)
            else:
                self._evict(victim)

    def _attempt(self) -> Planned:
        chunks = self._chunks()
        plans = [
            Plan(
                op=op,
                walk=walk,
                constants=constants,
                tiling=tiling_of(
                    op, walk, constants.resident, self.storage, self.room, chunks.get(index, ())
                ),
            )
            for index, (op, walk, constants) in enumerate(
                zip(self.ops, self.walks, self.constants, strict=True)
            )
        ]
        while True:
            jobs = schedule(plans, self.storage, self.alone)
            try:
                items, areas = sequence(plans, jobs, self.storage, hurry=self.hurry)
            except RoomError as error:
                if self._separate(error.op):
                    return self._attempt()
                self._part(error.op)
                continue
            return Planned(plans=plans, jobs=jobs, items=items, areas=areas)

    def _part(self, op: int) -> None:
        """Keep an operation from overlapping with others."""
        if op in self.alone:
            raise CompileError(
                f"{self.ops[op].name}: its weights or parameters do not fit {self.config.name}; "
                f"raise weight_bytes or parameter_bytes"
            )
        self.alone.add(op)

    def _chunks(self) -> dict[int, tuple[Rows, ...]]:
        """Cut streams into chunks; maps for which there is no room are spilled instead."""
        while True:
            links = [self.links[name] for name in self.streaming]
            found, chunks, failed = chunk_streams(
                self.ops, self.works, links, self.storage, lambda op: self.stream_room
            )
            if failed is None:
                self.storage.streams = found
                return chunks
            self._end_stream(failed.map)

    def _separate(self, op: int) -> bool:
        """End the streams from and to an operation; return whether there were any."""
        ended = [n for n in self.streaming if op in (self.links[n].maker, self.links[n].reader)]
        for name in ended:
            self._end_stream(self.maps[name])
        return bool(ended)

    def _end_stream(self, storage_map: Map) -> None:
        self.streaming.remove(storage_map.name)
        del self.links[storage_map.name]
        self._spill(storage_map)

    def _evict(self, storage_map: Map) -> None:
        """Keep a map from lying on the chip as a whole: make it a stream, or spill it."""
        link = self.links.get(storage_map.name)
        if storage_map.name in self.streaming:
            least = self.config.activation_words // SMALLEST_ROOM
            if self.room > max(least, self.stream_room // 4):
                self.room = max(least, self.room // 2)
            elif self.stream_room > least:
                self.stream_room = 3 * self.stream_room // 4
            else:
                self._end_stream(storage_map)
        elif link is not None and self.hurry and self._pays(link):
            self.streaming.append(storage_map.name)
        else:
            self._spill(storage_map)

    def _pays(self, link: Link) -> bool:
        """Return whether rows that are made twice cost less than the array has to spare."""
        before = sum(map_blocks(view.map, self.config) for _, view in self.ops[link.maker].inputs)
        if map_blocks(link.map, self.config) < before:
            return False
        if not link.overlaps:
            return True
        if any(view.map.name in self.streaming for _, view in self.ops[link.maker].inputs):
            return False
        return isinstance(self.ops[link.maker], ArrayOp) and link.by_block

    def _work(self, index: int) -> Work:
        """Return the estimated cycles of an operation."""
        op, walk = self.ops[index], self.walks[index]
        blocks = op.out.blocks(self.config.columns)
        if walk is not None:
            cycles = walk_cycles(walk, op.height, op.width, op.residual is not None)
            return Work(array=0, vector=blocks * cycles)
        pieces = [p for block in self.constants[index].blocks for p, _, _ in block.pieces]
        tiles = sum(piece.words for piece in pieces) // self.config.rows
        pixels = op.height * op.width
        return Work(array=tiles * pixels, vector=blocks * pixels)

    def _spill(self, storage_map: Map) -> None:
        names = {edge.view.map.name for edge in self.storage.inputs}
        self.storage.spills[storage_map.name] = 0
        if storage_map.name not in names:
            size = self.config.word_bytes * map_words(storage_map, self.storage, self.config)
            self.storage.spills[storage_map.name] = self.workspace(size)

    def _tighten(self, failed: Area) -> None:
        """Make bands smaller, then give up overlap, so that less is in the buffer at a time."""
        whole = self.config.activation_words
        if self.hurry and self.room > whole // SMALLEST_ROOM:
            self.room //= 2
        elif self.hurry:
            self.hurry, self.alone = False, set(range(len(self.ops)))
            for name in list(self.streaming):
                self._end_stream(self.maps[name])
            self.room = whole // LARGEST_ROOM
        elif self.room:
            self.room //= 2
        else:
            raise CompileError(
                f"{failed.name}: {failed.words * self.config.word_bytes} bytes for one band of "
                f"rows do not fit {self.config.name}; raise activation_bytes"
            )

    def _victim(self, areas: Sequence[Area], failed: Area) -> Map | None:
        """Return the map to spill: of those in the way, the one with most words for longest."""
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


def _walk(op: Op, config: Config) -> Walk | None:
    return choose_walk(op, config, op.height, op.width) if isinstance(op, VectorOp) else None
