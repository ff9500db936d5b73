"""Decisions for one segment: what stays on the chip, tiles, order, addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..isa.config import Config
from .allocate import allocate
from .constants import Constants, OpConstants, op_constants
from .errors import CompileError
from .items import Area, Item
from .ops import Map, Op, VectorOp
from .order import Job, Plan, schedule
from .ring import RoomError
from .sequence import sequence
from .storage import Storage
from .tiling import map_words, tiling_of
from .windows import Walk, choose_walk

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
        self.room, self.hurry = self.config.activation_words // LARGEST_ROOM, True
        self.walks = [_walk(op, self.config) for op in ops]
        self.constants: list[OpConstants] = [
            op_constants(op, walk, constants) for op, walk in zip(ops, self.walks, strict=True)
        ]
        views = [view for op in ops for view in (op.out, *(view for _, view, _ in op.reads))]
        self.maps = {view.map.name: view.map for view in views}

    def run(self) -> Planned:
        limit = self.config.activation_words // 3
        for storage_map in self.maps.values():
            if map_words(storage_map, self.storage, self.config) > limit:
                self._spill(storage_map)
        while True:
            planned = self._attempt()
            failed = allocate(planned.areas, self.config.activation_words)
            if failed is None:
                return planned
            victim = self._victim(planned.areas, failed)
            if victim is None:
                self._tighten(failed)
            else:
                self._spill(victim)

    def _attempt(self) -> Planned:
        plans = [
            Plan(
                op=op,
                walk=walk,
                constants=constants,
                tiling=tiling_of(op, walk, constants.resident, self.storage, self.room),
            )
            for op, walk, constants in zip(self.ops, self.walks, self.constants, strict=True)
        ]
        while True:
            jobs = schedule(plans, self.storage, self.alone)
            try:
                items, areas = sequence(plans, jobs, self.storage, hurry=self.hurry)
            except RoomError as error:
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
