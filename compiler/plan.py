"""Decisions for one segment: what stays on the chip, tiles, order, addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..isa.config import Config
from .allocate import allocate
from .constants import Constants, OpConstants, op_constants
from .errors import CompileError
from .items import Area, Item
from .ops import Op, VectorOp
from .order import Job, Plan, schedule
from .residency import Residency
from .ring import RoomError
from .sequence import sequence
from .storage import Storage
from .tiling import op_rows, tiling_of
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


class _Planner:
    def __init__(
        self,
        ops: Sequence[Op],
        storage: Storage,
        constants: Constants,
        workspace: Callable[[int], int],
    ) -> None:
        self.ops, self.storage, self.config = ops, storage, storage.config
        self.alone: set[int] = set()
        self.walks = [_walk(op, self.config) for op in ops]
        self.constants: list[OpConstants] = [
            op_constants(op, walk, constants) for op, walk in zip(ops, self.walks, strict=True)
        ]
        self.residency = Residency(ops, self.walks, self.constants, storage, workspace)

    def run(self) -> Planned:
        while True:
            planned = self._attempt()
            failed = allocate(planned.areas, self.config.activation_words)
            if failed is None:
                return planned
            victim = self.residency.victim(planned.areas, failed)
            if victim is None:
                self._tighten(failed)
            else:
                self.residency.evict(victim)

    def _attempt(self) -> Planned:
        while True:
            plans = self._plans()
            jobs = schedule(plans, self.storage, self.alone)
            try:
                items, areas = sequence(plans, jobs, self.storage, hurry=self.residency.overlap)
            except RoomError as error:
                if not self.residency.separate(error.op):
                    self._part(error.op)
                continue
            return Planned(plans=plans, jobs=jobs, items=items, areas=areas)

    def _plans(self) -> list[Plan]:
        chunks, rooms = self.residency.chunks(), self.residency.rooms
        plans = []
        for index, (op, walk) in enumerate(zip(self.ops, self.walks, strict=True)):
            constants = self.constants[index]
            rows = op_rows(op, walk, constants.resident, self.storage, rooms[index])
            tiling = tiling_of(op, rows, chunks.get(index, ()), constants.resident, self.storage)
            plans.append(Plan(op=op, walk=walk, constants=constants, tiling=tiling))
        return plans

    def _part(self, op: int) -> None:
        """Keep an operation from overlapping with others."""
        if op in self.alone:
            raise CompileError(
                f"{self.ops[op].name}: its weights or parameters do not fit {self.config.name}; "
                f"raise weight_bytes or parameter_bytes"
            )
        self.alone.add(op)

    def _tighten(self, failed: Area) -> None:
        """Let less be in the buffer at a time."""
        if not self.residency.tighten():
            raise CompileError(
                f"{failed.name}: {failed.words * self.config.word_bytes} bytes for one band of "
                f"rows do not fit {self.config.name}; raise activation_bytes"
            )
        if not self.residency.overlap:
            self.alone = set(range(len(self.ops)))


def _walk(op: Op, config: Config) -> Walk | None:
    return choose_walk(op, config, op.height, op.width) if isinstance(op, VectorOp) else None
