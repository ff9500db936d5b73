"""What each cycle of a run went to: computing, or waiting, and for what."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ...isa.instructions import ENGINES, Engine, Opcode, VectorSource
from ...isa.program import Program, Segment
from ...isa.timing import mac_done, pixel_done, vector_start, word_done
from ..owners import Owners
from ..timeline import Track, tracks_of
from .engine import CycleRun
from .engine_queue import Wait
from .listing import list_segment

__all__ = ["Cause", "causes_of"]

Ints = NDArray[np.int64]


class Cause(IntEnum):
    """Where a cycle went."""

    #: The array takes an operand, or weights between two; or the vector unit works.
    COMPUTE = 0
    #: Both wait for a transfer, or the array for weights of its next tile, and the bus moves data.
    BANDWIDTH = 1
    #: Both wait for a transfer, and the bus moves nothing.
    LATENCY = 2
    #: Both wait for work to leave a pipeline, or for instructions in front of theirs.
    DEPENDENCY = 3


#: Spans are first told apart by what is waited for; the bus says later what that means.
_COMPUTE, _READ, _WRITE, _DEPENDENCY = range(4)

_TRANSFERS = {Engine.LOAD: _READ, Engine.STORE: _WRITE}

#: From, to, and what for.
_Span = tuple[int, int, int]


def causes_of(program: Program, segment: Segment, run: CycleRun, owners: Owners) -> Ints:
    """Return how many cycles of each layer went to each cause.

    While array and vector unit both stand still, the work that begins next says what for: its last
    wait, of the work that it waited for what that waited for before it started, and so on.

    Parameters
    ----------
    program, segment, run : Program, Segment, CycleRun
        What ran.
    owners : Owners
        Whose cycles they are.

    Returns
    -------
    int64 array
        ``(layers + 1, causes)``; the last row is for what belongs to no layer. All of it adds up
        to the run's cycles.
    """
    waits = _Waits(program, segment, run)
    spans = np.array(list(waits.spans()), np.int64).reshape(-1, 3)
    edges = np.unique(np.concatenate([owners.edges, spans[:, 0], spans[:, 1]]))
    begins, lengths = edges[:-1], np.diff(edges)
    kinds = _kinds_at(begins, spans)
    layers = owners.layers[np.searchsorted(owners.edges, begins, side="right") - 1]
    busy = np.zeros(len(begins), np.int64)
    reads = np.concatenate([run.reads, run.fetches])
    for kind, bursts in ((_READ, reads), (_WRITE, run.writes)):
        moved = np.diff(_moving(edges, bursts, run.memory.interval))
        busy = np.where(kinds == kind, moved, busy)
    rows, transfers = len(program.layers) + 1, (kinds == _READ) | (kinds == _WRITE)
    found = np.zeros((rows, len(Cause)), np.int64)
    for cause, cycles in (
        (Cause.COMPUTE, np.where(kinds == _COMPUTE, lengths, 0)),
        (Cause.BANDWIDTH, busy),
        (Cause.LATENCY, np.where(transfers, lengths - busy, 0)),
        (Cause.DEPENDENCY, np.where(kinds == _DEPENDENCY, lengths, 0)),
    ):
        found[:, cause] = _summed(layers, cycles, rows)
    weights = np.minimum(_weights(waits, run, rows), found[:, Cause.COMPUTE])
    found[:, Cause.COMPUTE] -= weights
    found[:, Cause.BANDWIDTH] += weights
    return found


def _weights(waits: "_Waits", run: CycleRun, rows: int) -> Ints:
    """Return in how many cycles of each layer the array waited for weights that were on the bus.

    Of work, only the number of cycles without operand is known: so many as the bus moved data in
    beyond the cycles with an operand were certainly such.
    """
    track, begins = waits.track(Engine.MAC), run.begins
    ends, stalls = waits.array_ends(), run.stalls[Engine.MAC]
    moved = [_moving(times, run.reads, run.memory.interval) for times in (begins, ends)]
    both = np.clip(moved[1] - moved[0] - (ends - begins - stalls), 0, stalls)
    return _summed(track.layer, both, rows)


def _summed(layers: Ints, values: Ints, rows: int) -> Ints:
    """Return the sum of the values of each layer."""
    sums = np.zeros(rows, np.int64)
    np.add.at(sums, layers, values)
    return sums


def _kinds_at(times: Ints, spans: Ints) -> Ints:
    """Return the kind of the span that each time lies in; computing is what lies in none."""
    if not len(spans):
        return np.full(len(times), _COMPUTE)
    spans = spans[np.argsort(spans[:, 0])]
    last = np.searchsorted(spans[:, 0], times, side="right") - 1
    return np.where((last >= 0) & (times < spans[last, 1]), spans[last, 2], _COMPUTE)


def _moving(times: Ints, bursts: Ints, interval: int) -> Ints:
    """Return in how many cycles before each time a bus moved data; a beat takes an interval."""
    bursts = bursts[np.argsort(bursts[:, 0])]
    lengths = bursts[:, 1] * interval
    ends = bursts[:, 0] + 1
    before = np.concatenate(([0], np.cumsum(lengths)))
    begun = np.searchsorted(ends - lengths, times, side="right")
    ahead = np.maximum(np.concatenate(([0], ends))[begun] - times, 0)
    moved: Ints = before[begun] - ahead
    return moved


@dataclass(frozen=True)
class _Work:
    """A piece of work that computes, from a cycle up to another."""

    begin: int
    end: int
    engine: Engine
    number: int


class _Waits:
    """The spans in which neither array nor vector unit computes."""

    def __init__(self, program: Program, segment: Segment, run: CycleRun) -> None:
        self._run, self._config = run, program.config
        self._tracks = tracks_of(program, segment, run)
        self._work = sorted(
            [*self._array(), *self._vector(program, segment)], key=lambda w: w.begin
        )

    def spans(self) -> Iterator[_Span]:
        """Return the spans and what each waits for."""
        end, cycles = 0, self._run.cycles or 0
        for work in self._work:
            if work.begin > end:
                yield from self._explain(end, work.begin, work.engine, work.number)
            end = max(end, work.end)
        last = max(ENGINES, key=lambda e: max(self.track(e).done, default=-1))
        if len(self.track(last).done):
            yield from self._explain(end, cycles, last, len(self.track(last).done) - 1)
        elif end < cycles:
            yield end, cycles, _READ

    def track(self, engine: Engine) -> Track:
        """Return an engine's work."""
        return self._tracks[engine]

    def array_ends(self) -> Ints:
        """Return the cycle after the last operand of each MAC."""
        ends: Ints = self.track(Engine.MAC).done - mac_done(self._config) + 1
        return ends

    def _array(self) -> Iterator[_Work]:
        for number, (begin, end) in enumerate(
            zip(self._run.begins, self.array_ends(), strict=True)
        ):
            yield _Work(int(begin), int(end), Engine.MAC, number)

    def _vector(self, program: Program, segment: Segment) -> Iterator[_Work]:
        track, delay, number = self.track(Engine.VECTOR), 0, 0
        for opcode, fields in list_segment(program, segment):
            if opcode is Opcode.VECTOR_LOOPS:
                drains = fields["source"] == VectorSource.ACCUMULATOR
                delay = (pixel_done if drains else word_done)(self._config)
            elif opcode is Opcode.VECTOR:
                begin, end = int(track.start[number]), int(track.done[number])
                first = begin + vector_start(self._config)
                yield _Work(first, end - delay + 1, Engine.VECTOR, number)
                number += 1

    def _explain(self, begin: int, end: int, engine: Engine, number: int) -> Iterator[_Span]:
        """Return what work, or what it waits for, was about from a cycle up to another."""
        while begin < end:
            track = self.track(engine)
            start = int(track.start[number])
            if start < end:
                yield max(begin, start), end, _TRANSFERS.get(engine, _DEPENDENCY)
                end = start
            wait = Wait(int(track.wait[number]))
            if wait is Wait.ENGINE:
                number -= 1
            elif wait < Wait.ENGINE:
                engine = Engine(wait)
                instructions = self.track(engine).instruction
                number = int(np.searchsorted(instructions, track.blocker[number]))
            else:
                if begin < end:
                    yield begin, end, _kind(wait)
                return


def _kind(wait: Wait) -> int:
    """Return what is waited for where that is no work."""
    if wait in (Wait.FETCH, Wait.LOAD_QUEUE):
        return _READ
    return _WRITE if wait is Wait.STORE_QUEUE else _DEPENDENCY
