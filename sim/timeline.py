"""When each piece of work stood in front of its engine, and what it had waited for, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..isa.config import INSTRUCTION_BYTES
from ..isa.instructions import ENGINES, Engine, Opcode, decode
from ..isa.program import Program, Segment
from .cycle.engine import CycleRun
from .cycle.engine_queue import Wait
from .result import Run

__all__ = ["Track", "describe_wait", "tracks_of"]

Ints = NDArray[np.int64]

#: In words, of what work waited for that was no other work.
_REASONS: Mapping[Wait, str] = {
    Wait.ENGINE: "its own engine",
    Wait.FETCH: "its instruction to come from memory",
    Wait.SETTINGS: "settings before it",
    Wait.LOAD_QUEUE: "the queue of LOAD, which was full",
    Wait.MAC_QUEUE: "the queue of MAC, which was full",
    Wait.VECTOR_QUEUE: "the queue of VECTOR, which was full",
    Wait.STORE_QUEUE: "the queue of STORE, which was full",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """The work of one engine in order; all arrays have one entry for each piece.

    Parameters
    ----------
    instruction : int64 array
        Index in the program.
    layer : int64 array
        Index in the program's layer table, or -1.
    start, done : int64 array
        Cycles in which it entered its engine and completed.
    front : int64 array
        The first cycle in which no work before it was in the engine, ``start`` at the earliest:
        from ``front`` to ``done`` the work of an engine does not overlap.
    wait : int64 array
        What it waited for last, as :class:`~.cycle.engine_queue.Wait`; -1 if not known.
    blocker : int64 array
        The instruction whose completion that was, or -1.
    waited, stalled : int64 array
        How much earlier it would have started without that; how long it stood still inside its
        engine. 0 where that is not known.
    """

    instruction: Ints
    layer: Ints
    start: Ints
    front: Ints
    done: Ints
    wait: Ints
    blocker: Ints
    waited: Ints
    stalled: Ints


def tracks_of(program: Program, segment: Segment, run: Run) -> Mapping[Engine, Track]:
    """Return every engine's work in a segment.

    Parameters
    ----------
    program, segment : Program, Segment
        What ran.
    run : Run
        With stamps; what work waited for is known to a :class:`~.cycle.engine.CycleRun`.

    Raises
    ------
    ValueError
        The run does not know time.
    """
    if run.cycles is None or run.starts is None or run.dones is None:
        raise ValueError(f"the {run.engine} engine does not know time")
    places = {e: _places(program, segment, e) for e in run.starts}
    tracks = {}
    for engine, own in places.items():
        start, done = run.starts[engine], run.dones[engine]
        place, nothing = own[: len(start)], np.zeros(len(start), np.int64)
        waits = {"wait": nothing - 1, "blocker": nothing - 1, "waited": nothing, "stalled": nothing}
        if isinstance(run, CycleRun):
            waits = _waits(program, segment, run, engine, places)
        tracks[engine] = Track(
            instruction=segment.first + place,
            layer=program.layer_of[segment.first + place].astype(np.int64),
            start=start,
            front=np.maximum(start, np.concatenate(([0], done[:-1]))[: len(start)]),
            done=done,
            **waits,
        )
    return tracks


def _opcodes(program: Program, segment: Segment) -> NDArray[np.uint8]:
    """Return a segment's opcodes up to END."""
    size = INSTRUCTION_BYTES
    code = program.code[segment.first * size : (segment.first + segment.count) * size]
    opcodes = np.frombuffer(code, np.uint8)[::size]
    return opcodes[: int(np.argmax(np.append(opcodes, Opcode.END) == Opcode.END))]


def _places(program: Program, segment: Segment, engine: Engine) -> Ints:
    """Return where in a segment an engine's work stands."""
    return np.flatnonzero(_opcodes(program, segment) == Opcode[engine.name])


def _waits(
    program: Program, segment: Segment, run: CycleRun, engine: Engine, places: Mapping[Engine, Ints]
) -> dict[str, Ints]:
    """Return what an engine's work waited for, by the names of a track's columns."""
    wait, size = run.waits[engine], INSTRUCTION_BYTES
    blocker = np.full(len(wait), -1)
    for other in ENGINES:
        name = f"wait_{other.name.lower()}"
        for n in np.flatnonzero(wait == other):
            start = int(segment.first + places[engine][n]) * size
            count = decode(program.code[start : start + size])[name]
            blocker[n] = segment.first + places[other][count - 1]
    return {
        "wait": wait,
        "blocker": blocker,
        "waited": run.waited[engine],
        "stalled": run.stalls[engine],
    }


def describe_wait(wait: int, blocker: int) -> str:
    """Return in words what work waited for last; empty if that is not known."""
    if wait < 0:
        return ""
    reason = Wait(wait)
    if reason < len(ENGINES):
        return f"{Engine(reason).name} of instruction {blocker} to complete"
    return _REASONS[reason]
