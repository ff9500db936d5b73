"""When each piece of work stood in front of its engine, and what it had waited for, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..isa.instructions import ENGINES, Engine, Opcode
from ..isa.program import Program, Segment
from .cycle.engine import CycleRun
from .cycle.engine_queue import Wait
from .cycle.listing import Listing, list_segment
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
    if run.starts is None or run.dones is None:
        raise ValueError(f"the {run.engine} engine does not know time")
    listing = list_segment(program, segment)
    opcodes = np.array([opcode for opcode, _ in listing])
    places = {e: np.flatnonzero(opcodes == Opcode[e.name]) for e in ENGINES}
    tracks = {}
    for engine in ENGINES:
        start, done = run.starts[engine], run.dones[engine]
        place = places[engine][: len(start)]
        wait, waited, stalled = np.full(len(start), -1), *np.zeros((2, len(start)), np.int64)
        if isinstance(run, CycleRun):
            wait, waited, stalled = run.waits[engine], run.waited[engine], run.stalls[engine]
        blocker = _blockers(listing, place, wait, places)
        tracks[engine] = Track(
            instruction=segment.first + place,
            layer=program.layer_of[segment.first + place].astype(np.int64),
            start=start,
            front=np.maximum(start, np.concatenate(([0], done[:-1]))[: len(start)]),
            done=done,
            wait=wait,
            blocker=np.where(blocker < 0, -1, segment.first + blocker),
            waited=waited,
            stalled=stalled,
        )
    return tracks


def _blockers(listing: Listing, place: Ints, wait: Ints, places: Mapping[Engine, Ints]) -> Ints:
    """Return the place in the listing of the work that each piece waited for last, or -1."""
    blockers = np.full(len(place), -1)
    for engine in ENGINES:
        own = np.flatnonzero(wait == engine)
        counts = [listing[place[n]][1][f"wait_{engine.name.lower()}"] for n in own]
        blockers[own] = places[engine][np.array(counts, np.int64) - 1]
    return blockers


def describe_wait(wait: int, blocker: int) -> str:
    """Return in words what work waited for last; empty if that is not known."""
    if wait < 0:
        return ""
    reason = Wait(wait)
    if reason < len(ENGINES):
        return f"{Engine(reason).name} of instruction {blocker} to complete"
    return _REASONS[reason]
