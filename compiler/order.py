"""Order of jobs: a list schedule over both engines, by estimated time."""

from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from ..isa.config import Config
from ..isa.instructions import Engine
from ..isa.timing import threshold_cycles
from .constants import OpConstants
from .credits import Credits
from .ops import ArrayOp, Op, View
from .storage import Storage
from .tiling import Tile, Tiling, blocks_of, map_blocks
from .windows import Walk, walk_cycles

__all__ = ["Job", "Plan", "schedule"]

#: Cycles from the last operand of the array to the first pixel of its drain.
ARRAY_LATENCY = 40

#: Cycles of a drain beyond its pixels, and until its words can be read.
DRAIN_CYCLES, VECTOR_LATENCY = 12, 18

#: Cycles of a STORE and a LOAD beyond their beats, for rows that leave the chip and come back.
MEMORY_LATENCY = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """An operation with everything that was decided about it."""

    op: Op
    walk: Walk | None
    constants: OpConstants
    tiling: Tiling


@dataclass(frozen=True, kw_only=True)
class Job:
    """A tile on an engine, at an estimated time; ``half`` of the accumulators for the array."""

    tile: Tile
    engine: Engine
    start: int
    half: int = 0


#: Operations that may be in flight behind the earliest unfinished one.
AHEAD = 3


def schedule(plans: Sequence[Plan], storage: Storage, alone: Set[int] = frozenset()) -> list[Job]:
    """Return all jobs in the order of their start.

    Tiles of an operation keep their order. A few operations may be in flight, the earliest goes
    first where several could run; operations in ``alone`` overlap with no other.
    """
    scheduler = _Scheduler(plans, storage, alone)
    while scheduler.step():
        pass
    return scheduler.jobs


class _Scheduler:
    def __init__(self, plans: Sequence[Plan], storage: Storage, alone: Set[int]) -> None:
        self.plans, self.storage, self.alone = plans, storage, alone
        config = self.config = storage.config
        self.tiles = [
            deque(plan.tiling.tiles(index, plan.op.out.blocks(config.columns)))
            for index, plan in enumerate(plans)
        ]
        self.first = 0
        self.array = self.vector = 0
        self.halves = [0, 0]
        self.count = 0
        self.drains: deque[tuple[int, Tile, int]] = deque()
        self.ready: dict[tuple[str, int], np.ndarray] = {}  # per map and chunk: blocks and rows
        self.jobs: list[Job] = []
        self.made = {plan.op.out.map.name for plan in plans}
        self.needs = [_block_ranges(plan, storage) for plan in plans]
        self.credits = Credits([plan.op for plan in plans], storage)

    def _map(self, view: View, chunk: int) -> np.ndarray:
        """Return when rows of a map are there; of a stream, rows of one chunk."""
        storage = view.map
        key = storage.name, chunk if storage.name in self.storage.streams else 0
        if key not in self.ready:
            shape = map_blocks(storage, self.config), storage.height
            self.ready[key] = np.full(shape, np.inf if storage.name in self.made else 0.0)
        return self.ready[key]

    def step(self) -> bool:
        """Schedule the job that can start first; return whether there was one."""
        candidates = []
        if self.drains:
            ready, tile, _ = self.drains[0]
            candidates.append((max(self.vector, ready), -1, tile.op))
        for index in self._window():
            if self.tiles[index]:
                start = self._start(index, self.tiles[index][0])
                if start is not None:
                    candidates.append((start, 0, index))
        if not candidates:
            return False
        start, kind, index = min(candidates)
        if kind < 0:
            self._drain(start)
        else:
            tile = self.tiles[index].popleft()
            self.credits.issue(tile, self.tiles[index][0] if self.tiles[index] else None)
            self._issue(start, tile)
        return True

    def _window(self) -> range:
        """Return the operations that may run now."""
        draining = self.drains[0][1].op if self.drains else len(self.tiles)
        while self.first < len(self.tiles) and not self.tiles[self.first]:
            self.first += 1
        oldest, stop = min(self.first, draining), min(self.first + AHEAD + 1, len(self.tiles))
        stop = max(stop, self.credits.end(range(self.first, stop)))
        if oldest in self.alone:
            return range(oldest, oldest + 1)
        for index in range(oldest + 1, stop):
            if index in self.alone:
                return range(self.first, index)
        return range(self.first, stop)

    def _start(self, index: int, tile: Tile) -> int | None:
        """Return when a tile's inputs and its engine are free, or None if that is unknown."""
        op = self.plans[index].op
        if (isinstance(op, ArrayOp) and len(self.drains) > 1) or not self.credits.may(tile):
            return None
        ready = 0.0
        for view, blocks, windowed in self.needs[index][tile.block]:
            rows = (tile.y, tile.y + tile.rows)
            if windowed:
                rows = op.window.rows(tile.y, tile.rows, view.map.height)
            part = self._map(view, tile.chunk)[blocks[0] : blocks[1], rows[0] : rows[1]]
            ready = max(ready, float(part.max()))
        if ready == np.inf:
            return None
        if isinstance(op, ArrayOp):
            return max(self.array, int(ready), self.halves[self.count % 2])
        return max(self.vector, int(ready))

    def _issue(self, start: int, tile: Tile) -> None:
        plan = self.plans[tile.op]
        if plan.walk is not None:
            cycles = walk_cycles(plan.walk, tile.rows, tile.columns, plan.op.residual is not None)
            self.vector = start + cycles + threshold_cycles(plan.op.threshold_bits)
            self._made(tile, self.vector)
            self.jobs.append(Job(tile=tile, engine=Engine.VECTOR, start=start))
            return
        half, self.count = self.count % 2, self.count + 1
        self.array = start + array_cycles(plan, tile, self.config)
        self.drains.append((self.array + ARRAY_LATENCY, tile, half))
        self.jobs.append(Job(tile=tile, engine=Engine.MAC, start=start, half=half))

    def _drain(self, start: int) -> None:
        _, tile, half = self.drains.popleft()
        fetch = threshold_cycles(self.plans[tile.op].op.threshold_bits)
        self.vector = start + fetch + tile.rows * tile.columns + DRAIN_CYCLES
        self.halves[half] = self.vector
        self._made(tile, self.vector)
        self.jobs.append(Job(tile=tile, engine=Engine.VECTOR, start=start, half=half))

    def _made(self, tile: Tile, time: int) -> None:
        op, first, count = self.plans[tile.op].op, tile.block, 1
        complete = tile.x + tile.columns == op.width
        if self.storage.spilled(op.out.map):  # blocks of a group leave together
            complete, (first, count) = tile.last, tile.group
            words = count * tile.rows * self.storage.row_words(op.out.map)
            beats = -(-words * self.config.word_bytes // self.config.bus_bytes)
            time += MEMORY_LATENCY + 3 * beats  # out, and in again with neighbouring rows
        if complete:
            first += op.out.block
            rows = slice(tile.y, tile.y + tile.rows)
            self._map(op.out, tile.chunk)[first : first + count, rows] = time + VECTOR_LATENCY


def array_cycles(plan: Plan, tile: Tile, config: Config) -> int:
    """Return the cycles in which the array takes a tile's operands."""
    words = sum(piece.words for piece, _, _ in plan.constants.blocks[tile.block].pieces)
    return words // config.rows * max(tile.rows * tile.columns, config.rows)


Need = tuple[View, tuple[int, int], bool]


def _block_ranges(plan: Plan, storage: Storage) -> list[list[Need]]:
    """Return per output block which blocks of which views its tiles read."""
    op, config, found = plan.op, storage.config, []
    for block in range(op.out.blocks(config.columns)):
        needs: list[Need] = []
        group = plan.tiling.group(block, op.out.blocks(config.columns))
        if isinstance(op, ArrayOp):
            for piece, _, _ in plan.constants.blocks[block].pieces:
                view = op.sources[piece.source].view
                needs.append(_need(view, piece.block, piece.blocks, storage))
        else:
            view = op.inputs[0][1]
            needs.append((view, _part(view, block, group, storage), True))
        if op.residual:
            needs.append((op.residual.view, _part(op.residual.view, block, group, storage), False))
        found.append(needs)
    return found


def _need(view: View, block: int, blocks: int, storage: Storage) -> Need:
    """Return which blocks must be there; spilled and folded ones come all together."""
    if view.map.folded or storage.spilled(view.map):
        block, blocks = 0, blocks_of(view, storage.config)
    first = view.block + block
    return view, (first, first + blocks), True


def _part(view: View, block: int, group: tuple[int, int], storage: Storage) -> tuple[int, int]:
    """Return the block that a tile reads; of a spilled map its group comes together."""
    first, count = group if storage.spilled(view.map) else (block, 1)
    return view.block + first, view.block + first + count
