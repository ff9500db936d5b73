"""The order of all work: jobs, and the transfers that they need, early enough."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..isa.instructions import Buffer, Engine
from .constants import Chunk
from .items import Area, Item, LoadArea, LoadSlot, Mac, Slot, Store, Vector
from .ops import ArrayOp, Op, View
from .order import Job, Plan
from .ring import place_slots
from .storage import External, Storage
from .tiling import Tile, blocks_of, map_blocks

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
    return builder.build(), builder.areas()


@dataclass
class _Span:
    """First and last unit of work that uses something."""

    first: int
    last: int


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
        self.whole: dict[str, Area] = {}
        self.bands: dict[tuple[int | str, ...], Area] = {}
        self.spans: dict[Area, _Span] = {}
        self.origins: dict[Area, tuple[int, External]] = {}
        self.slots: dict[tuple[int, ...], Slot] = {}
        self.stored: dict[str, list[_Stored]] = {}

    def areas(self) -> list[Area]:
        """Return every area."""
        return [*self.whole.values(), *self.bands.values()]

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
        _lifetimes(items)
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
            area = self._input(position, tile, op.sources[piece.source].view, windowed=True)
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
            source = self._input(position, tile, view, windowed=True)
        if op.residual:
            residual = self._input(position, tile, op.residual.view, windowed=False)
        for plane in range(max(1, op.out.map.planes)):
            item = Vector(
                op=tile.op,
                job=job,
                slot=self._slot(len(self.starts), tile, Buffer.PARAMETER, chunk),
                word=word,
                source=source,
                residual=residual,
                out=self._output(tile, op),
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

    def _input(self, position: int, tile: Tile, view: View, *, windowed: bool) -> Area:
        op, storage = self.plans[tile.op].op, self.storage
        if view.map.name in storage.streams:
            area = self._piece(view, tile)
        elif not storage.spilled(view.map):
            area = self._whole(view)
        else:
            rows = (tile.y, tile.y + tile.rows)
            if windowed:
                rows = op.window.rows(tile.y, tile.rows, view.map.height)
            block, count = view.block, blocks_of(view, self.config)
            if not (windowed and isinstance(op, ArrayOp)):
                block, count = view.block + tile.group[0], tile.group[1]
            key = (tile.op, tile.band, view.map.name, block, count, *rows)
            if key not in self.bands:
                self.bands[key] = self._area(view, block, count, rows)
            area = self.bands[key]
        span = self.spans.setdefault(area, _Span(position, position))
        span.last = position
        spilled_or_input = storage.spilled(view.map) or any(
            edge.view.map.name == view.map.name for edge in storage.inputs
        )
        if spilled_or_input and area not in self.origins:
            self.origins[area] = (tile.op, storage.source(view.map))
        return area

    def _area(self, view: View, block: int, blocks: int, rows: tuple[int, int]) -> Area:
        return Area(
            name=view.map.name,
            block=block,
            blocks=blocks,
            y=rows[0],
            rows=rows[1] - rows[0],
            row_words=self.storage.row_words(view.map),
        )

    def _whole(self, view: View) -> Area:
        storage = view.map
        if storage.name not in self.whole:
            blocks = 1 if storage.folded else -(-storage.channels // self.config.columns)
            self.whole[storage.name] = self._area(view, 0, blocks, (0, storage.height))
        return self.whole[storage.name]

    def _piece(self, view: View, tile: Tile) -> Area:
        """Return the piece of a stream that a tile makes or reads."""
        stream, name = self.storage.streams[view.map.name], view.map.name
        block, count = tile.block, 1
        if not stream.by_block:
            block, count = 0, map_blocks(view.map, self.config)
        key = (name, tile.chunk, block)
        if key not in self.bands:
            self.bands[key] = self._area(view, block, count, stream.rows[tile.chunk])
        return self.bands[key]

    def _output(self, tile: Tile, op: Op) -> Area:
        if op.out.map.name in self.storage.streams:
            return self._piece(op.out, tile)
        if not self.storage.spilled(op.out.map):
            return self._whole(op.out)
        block, count = op.out.block + tile.group[0], tile.group[1]
        key = (tile.op, tile.band, op.out.map.name, block, "out")
        if key not in self.bands:
            rows = (tile.y, tile.y + tile.rows)
            self.bands[key] = self._area(op.out, block, count, rows)
        return self.bands[key]

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
                area=self._output(tile, op),
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
        for area, (op, source) in self.origins.items():
            first = self.spans[area].first
            position = first
            if self.hurry:
                position = self._before(first, LEAD_ROWS + 2 * self._cycles(area.words))
            for stored in self.stored.get(area.name, ()):
                if stored.meets(area):
                    position = max(position, stored.position + 1)
            if position > first:
                raise AssertionError(f"rows of {area.name} are needed before they are stored")
            self._put(position, 1, LoadArea(op=op, area=area, source=source))


def _lifetimes(items: Sequence[Item]) -> None:
    """Set first and last use of every area."""
    for position, item in enumerate(items):
        for name in ("area", "source", "residual", "out"):
            area = getattr(item, name, None)
            if isinstance(area, Area):
                area.begin = position if area.begin < 0 else area.begin
                area.end = position
