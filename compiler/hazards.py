"""Dependency tokens: what each piece of work must wait for, from the memory it touches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..isa.config import Config
from ..isa.instructions import ENGINES, Buffer
from .items import Area, Item, LoadArea, LoadSlot, Mac, Store, Vector
from .order import Plan

__all__ = ["Access", "accesses", "waits"]


@dataclass(frozen=True)
class Access:
    """Words ``start…stop-1`` of a memory that work reads or writes."""

    memory: str
    start: int
    stop: int
    write: bool


def accesses(item: Item, plans: Sequence[Plan]) -> Iterator[Access]:
    """Yield everything that an item reads and writes; rows are taken whole."""
    if isinstance(item, Mac):
        yield from _mac(item, plans)
    elif isinstance(item, Vector):
        yield from _vector(item, plans)
    elif isinstance(item, LoadSlot):
        slot = item.slot
        yield Access(slot.buffer.name, slot.addr, slot.addr + slot.chunk.words, True)
    elif isinstance(item, LoadArea):
        area = item.area
        yield Access("rows " + area.name, area.y, area.y + area.rows, False)
        yield Access(Buffer.ACTIVATION.name, area.addr, area.addr + area.words, True)
    elif isinstance(item, Store):
        yield from _words(item.area, (item.block, item.blocks), (item.y, item.rows), False)
        yield Access("rows " + item.area.name, item.y, item.y + item.rows, True)


def _words(
    area: Area, blocks: tuple[int, int], rows: tuple[int, int], write: bool
) -> Iterator[Access]:
    """Yield the words of rows of blocks, both first and count; one range where they adjoin."""
    name, (block, count), (y, height) = Buffer.ACTIVATION.name, blocks, rows
    if height == area.rows:
        start = area.offset(block, y)
        yield Access(name, start, start + count * area.block_words, write)
        return
    for index in range(block, block + count):
        start = area.offset(index, y)
        yield Access(name, start, start + height * area.row_words, write)


def _mac(item: Mac, plans: Sequence[Plan]) -> Iterator[Access]:
    op, tile, piece = plans[item.op].op, item.job.tile, item.piece
    view = op.inputs[piece.source][1]
    low, stop = op.window.rows(tile.y, tile.rows, view.map.height)
    if view.map.folded:
        yield from _words(item.area, (0, 1), (low, stop - low), False)
    else:
        first = view.block + piece.block
        yield from _words(item.area, (first, piece.blocks), (low, stop - low), False)
    start = item.slot.addr + item.word
    yield Access(Buffer.WEIGHT.name, start, start + piece.words, False)
    yield Access("half", item.job.half, item.job.half + 1, True)


def _vector(item: Vector, plans: Sequence[Plan]) -> Iterator[Access]:
    plan, tile = plans[item.op], item.job.tile
    op = plan.op
    words = 1 + (plan.walk.steps if plan.walk else 0) + op.threshold_words
    start = item.slot.addr + 8 * item.word
    yield Access(Buffer.PARAMETER.name, start, start + 8 * words, False)
    if item.source is None:
        yield Access("half", item.job.half, item.job.half + 1, False)
    else:
        view = op.inputs[0][1]
        low, stop = op.window.rows(tile.y, tile.rows, view.map.height)
        yield from _words(item.source, (view.block + tile.block, 1), (low, stop - low), False)
    rows = (tile.y, tile.rows)
    if item.residual is not None and op.residual:
        block = op.residual.view.block + tile.block
        yield from _words(item.residual, (block, 1), rows, False)
    yield from _words(item.out, (op.out.block + tile.block, 1), rows, True)


class _Memory:
    """Per engine and word: how much of its work was done after it last wrote and read it."""

    def __init__(self, words: int) -> None:
        self.written = np.zeros((len(ENGINES), words), np.int32)
        self.read = np.zeros((len(ENGINES), words), np.int32)


def waits(items: Sequence[Item], plans: Sequence[Plan], config: Config) -> list[list[int]]:
    """Return for each item the counts of completed work, per engine, that it waits for.

    Work of one engine completes in order, and needs no token; an item that reads waits for the
    last writer of each word, an item that writes also for the last readers.
    """
    rows = {}
    for plan in plans:
        for view in (plan.op.out, *(view for _, view, _ in plan.op.reads)):
            rows[f"rows {view.map.name}"] = view.map.height
    memories = {name: _Memory(words) for name, words in rows.items()}
    memories[Buffer.ACTIVATION.name] = _Memory(config.activation_words)
    memories[Buffer.WEIGHT.name] = _Memory(config.weight_words)
    memories[Buffer.PARAMETER.name] = _Memory(8 * config.parameter_words)
    memories["half"] = _Memory(2)
    counts, found = [0] * len(ENGINES), []
    for item in items:
        counts[item.engine] += 1
        needed = np.zeros(len(ENGINES), np.int32)
        touched = list(accesses(item, plans))
        for access in touched:
            memory, words = memories[access.memory], slice(access.start, access.stop)
            np.maximum(needed, memory.written[:, words].max(axis=1), out=needed)
            if access.write:
                np.maximum(needed, memory.read[:, words].max(axis=1), out=needed)
        for access in touched:
            memory, words = memories[access.memory], slice(access.start, access.stop)
            kind = memory.written if access.write else memory.read
            kind[item.engine, words] = counts[item.engine]
        needed[item.engine] = 0
        found.append(needed.tolist())
    return found
