"""The order of all work: jobs, and the transfers that they need, early enough."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..isa.instructions import Buffer, Engine
from .areas import Areas, set_lifetimes
from .constants import Chunk
from .items import Area, Item, LoadArea, LoadSlot, Mac, Slot, Store, Vector
from .ops import ArrayOp, Op
from .order import Job, Plan
from .ring import place_slots
from .storage import Storage
from .tiling import Tile

__all__ = ["sequence"]

#: Cycles that a LOAD should be issued before its data are needed, beside twice its own time.
LEAD_WEIGHTS, LEAD_ROWS = 1500, 300

Key = tuple[int, int, int]


def sequence(
    plans: Sequence[Plan], jobs: Sequence[Job], storage: Storage, *, hurry: bool = True
) -> tuple[list[Item], list[Area]]:
    """Return all work in program order, and the areas of the activation buffer it uses.

    With ``hurry`` rows are loaded before they are needed; without, less is held at a time.

    Raises
    ------
    RoomError
        Weights or parameters of jobs that run at the same time do not fit their buffers.
    """
    builder = _Sequence(plans, jobs, storage, hurry)
    return builder.build(), builder.areas.all()


@dataclass(frozen=True)
class _Stored:
    """Rows and blocks of a map that leave the chip after a unit of work."""

    y: int
    y_stop: int
    block: int
    block_stop: int
    position: int

    def meets(self, area: Area) -> bool:
        """Return whether an area holds some of them."""
        rows = self.y < area.y + area.rows and area.y < self.y_stop
        return rows and self.block < area.block + area.blocks and area.block < self.block_stop


class _Sequence:
    def __init__(
        self, plans: Sequence[Plan], jobs: Sequence[Job], storage: Storage, hurry: bool
    ) -> None:
        self.plans, self.jobs, self.storage = plans, jobs, storage
        self.config, self.hurry = storage.config, hurry
        self.starts: list[int] = []  # of each unit of work: a MAC or VECTOR instruction
        self.keyed: list[tuple[Key, Item]] = []
        self.areas = Areas(plans, storage)
        self.slots: dict[tuple[int, ...], Slot] = {}
        self.stored: dict[str, list[_Stored]] = {}

    def build(self) -> list[Item]:
        for job in self.jobs:
            op = self.plans[job.tile.op].op
            if job.engine is Engine.MAC:
                self._macs(job, op)
            else:
                self._vector(job, op)
        self.times = np.maximum.accumulate(np.array(self.starts, np.int64)).tolist()
        self._load_slots()
        self._load_areas()
        self.keyed.sort(key=lambda entry: entry[0])
        items = [item for _, item in self.keyed]
        set_lifetimes(items)
        return items

    def _put(self, position: int, rank: int, item: Item) -> None:
        self.keyed.append(((position, rank, len(self.keyed)), item))

    def _unit(self, job: Job, item: Item) -> None:
        self._put(len(self.starts), 2, item)
        self.starts.append(job.start)

    def _macs(self, job: Job, op: Op) -> None:
        assert isinstance(op, ArrayOp)
        plan, tile = self.plans[job.tile.op], job.tile
        for index, (piece, chunk, word) in enumerate(plan.constants.blocks[tile.block].pieces):
            position = len(self.starts)
            area = self.areas.input(position, tile, op.sources[piece.source].view, windowed=True)
            slot = self._slot(position, tile, Buffer.WEIGHT, chunk)
            item = Mac(
                op=tile.op,
                job=job,
                piece=piece,
                slot=slot,
                word=word,
                area=area,
                accumulate=index > 0,
            )
            self._unit(job, item)

    def _vector(self, job: Job, op: Op) -> None:
        tile, position = job.tile, len(self.starts)
        lookup = self.plans[tile.op].constants.lookup
        chunk, word = lookup[min(tile.block, len(lookup) - 1)]
        source = residual = None
        if not isinstance(op, ArrayOp):
            view = op.inputs[0][1]
            source = self.areas.input(position, tile, view, windowed=True)
        if op.residual:
            residual = self.areas.input(position, tile, op.residual.view, windowed=False)
        for plane in range(max(1, op.out.map.planes)):
            item = Vector(
                op=tile.op,
                job=job,
                slot=self._slot(len(self.starts), tile, Buffer.PARAMETER, chunk),
                word=word,
                source=source,
                residual=residual,
                out=self.areas.output(tile, op),
                plane=plane,
            )
            self._unit(job, item)
        if tile.last and not op.out.map.planes:
            self._store(position, tile, op)

    def _slot(self, position: int, tile: Tile, buffer: Buffer, index: int) -> Slot:
        constants = self.plans[tile.op].constants
        if buffer is Buffer.WEIGHT:
            chunks, stays = constants.weights, constants.resident
        else:
            chunks = constants.parameters
            limit = 8 * self.config.parameter_words // 2
            stays = sum(chunk.words for chunk in chunks) <= limit
        key = (buffer, tile.op, index, *(() if stays else (tile.chunk, tile.x)))
        if key not in self.slots:
            chunk: Chunk = chunks[index]
            self.slots[key] = Slot(
                op=tile.op, buffer=buffer, chunk=chunk, first=position, last=position
            )
        self.slots[key].last = position
        return self.slots[key]

    def _store(self, position: int, tile: Tile, op: Op) -> None:
        storage, name = self.storage, op.out.map.name
        targets = {e.tensor: e for e in storage.outputs if e.view.map.name == name}
        if storage.spilled(op.out.map):
            whole = storage.source(op.out.map)
            targets[whole.tensor] = whole
        start, count = op.out.block + tile.group[0], tile.group[1]
        stored = _Stored(tile.y, tile.y + tile.rows, start, start + count, position)
        self.stored.setdefault(name, []).append(stored)
        for target in targets.values():
            first = max(start, target.view.block)
            stop = min(start + count, target.view.block + target.view.blocks(self.config.columns))
            if first >= stop:
                continue
            item = Store(
                op=tile.op,
                area=self.areas.output(tile, op),
                target=target,
                block=first,
                blocks=stop - first,
                y=tile.y,
                rows=tile.rows,
            )
            self._put(position + 1, 0, item)

    def _before(self, use: int, lead: float) -> int:
        """Return the unit before which a LOAD stands that is needed by unit ``use``."""
        return min(use, bisect_left(self.times, self.starts[use] - lead))

    def _cycles(self, words: int) -> int:
        return -(-words * self.config.word_bytes // self.config.bus_bytes)

    def _load_slots(self) -> None:
        sizes = {
            Buffer.WEIGHT: self.config.weight_words,
            Buffer.PARAMETER: 8 * self.config.parameter_words,
        }
        for buffer, size in sizes.items():
            slots = sorted(
                (s for s in self.slots.values() if s.buffer is buffer), key=lambda s: s.first
            )
            position = 0
            for slot, earliest in place_slots(slots, size).items():
                lead = LEAD_WEIGHTS + 2 * self._cycles(slot.chunk.words)
                wanted = self._before(slot.first, lead)
                if self.config.serial:  # beside other work, so not before the next unit starts
                    wanted = min(slot.first, earliest + 1)
                position = max(position, earliest, wanted)
                self._put(position, 1, LoadSlot(op=slot.op, slot=slot))

    def _load_areas(self) -> None:
        for area, (op, source) in self.areas.origins.items():
            first = self.areas.first_use[area]
            position = first
            if self.hurry:
                position = self._before(first, LEAD_ROWS + 2 * self._cycles(area.words))
            for stored in self.stored.get(area.name, ()):
                if stored.meets(area):
                    position = max(position, stored.position + 1)
            if position > first:
                raise AssertionError(f"rows of {area.name} are needed before they are stored")
            self._put(position, 1, LoadArea(op=op, area=area, source=source))
