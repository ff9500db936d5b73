"""MacEngine: when tiles begin, and which words the feeder reads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...isa.config import Config
from ...isa.timing import (
    FEEDER_READ,
    MAC_OFFER,
    MAC_PENDING,
    REGISTER,
    accumulator_distance,
    mac_done,
    operand_check,
)
from .activation_buffer import ActivationBuffer
from .feeder import FeederReads, operand_address
from .listing import Fields

__all__ = ["MacEngine"]

_NO_TIME = -(1 << 40)

_TILE_LEVELS = ("blocks", "groups", "kernel_rows", "kernel_columns")


@dataclass(slots=True)
class _Operation:
    """An operation on an accumulator."""

    time: int
    half: int
    pixel: int


@dataclass(slots=True)
class _Size:
    """How much a job is: its tiles, the weight words and the pixels of each."""

    tiles: int
    words: int
    pixels: int


@dataclass(slots=True)
class _Tiles:
    """When the operands of a job are issued: of each tile, and the rest without a gap.

    ``issues`` holds each operand's cycle where tiles have gaps.
    """

    starts: NDArray[np.int64]
    pixels: int
    last_load: int
    issues: NDArray[np.int64] | None = None

    @property
    def last(self) -> int:
        """Cycle of the last operand."""
        if self.issues is not None:
            return int(self.issues[-1, -1])
        return int(self.starts[-1]) + self.pixels - 1

    @property
    def before_last(self) -> int:
        """Cycle of the operand before the last one, if there is one."""
        if self.issues is not None:
            return int(self.issues.ravel()[-2])
        return self.last - 1 if self.pixels > 1 else int(self.starts[-2])

    def table(self) -> NDArray[np.int64]:
        """Return the cycle of each operand, a row for each tile."""
        if self.issues is not None:
            return self.issues
        return np.add.outer(self.starts, np.arange(self.pixels))


class MacEngine:
    """Carry out MAC jobs; nothing but their own order makes them wait.

    Parameters
    ----------
    config : Config
        The accelerator.
    buffer : ActivationBuffer
        Gets what the feeder reads.

    Attributes
    ----------
    free : int
        From which cycle on the next job is accepted.
    active : int
        Operands so far.
    begins : list of int
        Cycle of each job's first operand.
    stalls : list of int
        Cycles in each job that had no operand: weights or accumulators were not ready.
    """

    def __init__(self, config: Config, buffer: ActivationBuffer) -> None:
        self._config, self._buffer = config, buffer
        self._distance = accumulator_distance(config)
        self._done, self._check = mac_done(config), operand_check(config)
        self._entered = self._issued = self._load_ends = self._swapped = _NO_TIME
        self._recent: list[_Operation] = []
        self._operand = (_NO_TIME, 0)
        self.free = self.active = 0
        self.begins: list[int] = []
        self.stalls: list[int] = []

    def start(self, time: int, loops: Fields, work: Fields) -> int:
        """Take a job in a cycle, and return the cycle of its completion."""
        tiles = 1
        for level in _TILE_LEVELS:
            tiles *= loops[level]
        words = self._config.columns if loops["bitwise"] else self._config.rows
        size = _Size(tiles, words, work["rows"] * loops["columns"])
        offered = time + MAC_OFFER
        load = max(self._swapped + MAC_PENDING, self._load_ends, offered)
        fed = max(offered, self._entered + self._check)
        self.free = max(load, fed) + REGISTER
        entered = max(fed + REGISTER, self._issued)
        begin = max(entered + REGISTER * self._check, load + MAC_PENDING)
        plan = self._plan(begin, load, size, work)
        self._load_ends = plan.last_load + words
        self._note(plan, size, loops, work)
        if self._check:  # an operand, while the one before it is issued
            self._entered = entered if tiles * size.pixels == 1 else plan.before_last
        return self._issued + self._done

    def _plan(self, begin: int, load: int, size: _Size, work: Fields) -> _Tiles:
        """Return when tiles begin; the first one not before ``begin``."""
        tiles, words, pixels = size.tiles, size.words, size.pixels
        first = self._first_operands(begin, min(pixels, self._distance - 1), work)
        if first[-1] != first[0] + len(first) - 1:
            return self._walk(begin, load, size, work)
        step = max(pixels, self._distance)
        number = np.arange(tiles)
        starts = first[0] + step * number
        if step >= words:
            last = load
            if tiles > 1:
                last = max(int(starts[-2]) + MAC_PENDING, load + (tiles - 1) * words)
            return _Tiles(starts, pixels, last)
        second = max(first[0] + MAC_PENDING, load + words)
        loads = second + words * (number - 1)
        loads[0] = load
        starts = np.maximum(starts, loads + MAC_PENDING)
        return _Tiles(starts, pixels, int(loads[-1]))

    def _first_operands(self, begin: int, count: int, work: Fields) -> list[int]:
        """Return when a job's first operands are issued, which earlier jobs may delay."""
        times, time = [], begin
        for index in range(count):
            if work["accumulate"]:
                time = max(time, self._settled(work["half"], work["pixel"] + index, self._recent))
            times.append(time)
            time += 1
        return times

    def _settled(self, half: int, pixel: int, recent: list[_Operation]) -> int:
        """Return from which cycle on an accumulator may be added to."""
        clashes = [o.time for o in recent if o.pixel == pixel and o.half == half]
        return max(clashes, default=_NO_TIME) + self._distance

    def _walk(self, begin: int, load: int, size: _Size, work: Fields) -> _Tiles:
        """Return when each operand is issued, one after the other; all of them accumulate."""
        recent = list(self._recent)
        issues = np.zeros((size.tiles, size.pixels), np.int64)
        time = begin
        for tile in range(size.tiles):
            if tile:
                load = max(int(issues[tile - 1, 0]) + MAC_PENDING, load + size.words)
                time = max(time, load + MAC_PENDING)
            for index in range(size.pixels):
                half, pixel = work["half"], work["pixel"] + index
                time = max(time, self._settled(half, pixel, recent))
                issues[tile, index] = time
                recent = [*recent[-2:], _Operation(time, half, pixel)]
                time += 1
        return _Tiles(issues[:, 0], size.pixels, load, issues)

    def _note(self, plan: _Tiles, size: _Size, loops: Fields, work: Fields) -> None:
        """Remember what matters to the jobs that follow, and what is read."""
        tiles, pixels = size.tiles, size.pixels
        reads = FeederReads(self._config, plan.table, loops, work, self._operand)
        reads.bounds(int(plan.starts[0]) + FEEDER_READ, plan.last + FEEDER_READ)
        self._buffer.reads.expect(reads)
        self._entered = self._issued = plan.last
        self._swapped = int(plan.starts[-1])
        self.begins.append(int(plan.starts[0]))
        self.stalls.append(plan.last + 1 - self.begins[-1] - tiles * pixels)
        self._operand = plan.last, operand_address(self._config, loops, work)
        self.active += tiles * pixels
        count = min(tiles * pixels, self._distance - 1)
        for back in range(count - 1, -1, -1):
            before, pixel = divmod(tiles * pixels - 1 - back, pixels)
            begun = plan.issues[before] if plan.issues is not None else None
            time = int(begun[pixel]) if begun is not None else int(plan.starts[before]) + pixel
            self._recent.append(_Operation(time, work["half"], work["pixel"] + pixel))
        del self._recent[: -(self._distance - 1)]
