"""Runs as a timeline in the Trace Event Format, which Perfetto and chrome://tracing open.

One cycle is shown as one microsecond, for the format knows no cycles. Slices of a track must not
overlap, but engines take work before earlier work has left them: a slice begins when its work is
the foremost of its engine, and ``args`` hold when it entered.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ..isa.instructions import ENGINES, Engine
from ..isa.program import Program
from .cycle.engine import CycleRun
from .listing import short_name
from .result import Run
from .timeline import Track, describe_wait, tracks_of

__all__ = ["chrome_trace"]

Event = dict[str, Any]

#: Numbers of the process, and of the thread for FETCH; engines have theirs and one.
_PROCESS, _FETCH = 1, len(ENGINES) + 1


def chrome_trace(program: Program, runs: Sequence[Run]) -> dict[str, Any]:
    """Return a trace for ``json.dump``.

    Parameters
    ----------
    program : Program
        What ran.
    runs : sequence of Run
        Of its segments, in order; they are shown one after the other.

    Raises
    ------
    ValueError
        A run does not know time.
    """
    events, origin = list(_names(program)), 0
    for segment, run in zip(program.segments, runs, strict=True):
        tracks = tracks_of(program, segment, run)
        places = {
            int(instruction): (engine, int(done), int(front))
            for engine, track in tracks.items()
            for instruction, done, front in zip(
                track.instruction, track.done, track.front, strict=True
            )
        }
        for engine, track in tracks.items():
            events += _slices(program, engine, track, origin)
            events += _arrows(engine, track, places, origin)
        if isinstance(run, CycleRun):
            events += _fetches(run, origin)
        origin += run.cycles or 0
    facts = {
        "program": program.name,
        "configuration": program.config.name,
        "cycles": origin,
        "engine": runs[0].engine if runs else "",
        "unit": "1 us stands for 1 cycle",
    }
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": facts}


def _names(program: Program) -> Iterator[Event]:
    """Name the process, and a thread for each engine."""
    title = f"{program.name} on {program.config.name}"
    yield {"ph": "M", "name": "process_name", "pid": _PROCESS, "args": {"name": title}}
    names = {_FETCH: "fetch", **{engine + 1: engine.name.lower() for engine in ENGINES}}
    for order, (number, name) in enumerate(names.items()):
        thread = {"ph": "M", "pid": _PROCESS, "tid": number}
        yield {**thread, "name": "thread_name", "args": {"name": name}}
        yield {**thread, "name": "thread_sort_index", "args": {"sort_index": order}}


def _slices(program: Program, engine: Engine, track: Track, origin: int) -> Iterator[Event]:
    for n, index in enumerate(track.instruction.tolist()):
        layer = int(track.layer[n])
        name = program.layers[layer].name if layer >= 0 else "(no layer)"
        front, done = int(track.front[n]), int(track.done[n])
        args = {"instruction": index, "layer": name}
        args |= {"entered": int(track.start[n]), "completed": done}
        if reason := describe_wait(int(track.wait[n]), int(track.blocker[n])):
            args |= {"waited for": reason, "cycles waited": int(track.waited[n])}
            args |= {"cycles stalled": int(track.stalled[n])}
        yield {
            "ph": "X",
            "name": f"{short_name(name)} #{index}",
            "cat": engine.name.lower(),
            "pid": _PROCESS,
            "tid": engine + 1,
            "ts": origin + front,
            "dur": done - front,
            "args": args,
        }


def _fetches(run: CycleRun, origin: int) -> Iterator[Event]:
    """Return the bursts of instructions, while memory sends them."""
    thread = {"ph": "X", "name": "instructions", "cat": "fetch", "pid": _PROCESS, "tid": _FETCH}
    for end, beats in run.fetches.tolist():
        takes = (beats - 1) * run.memory.interval + 1
        yield {**thread, "ts": origin + end + 1 - takes, "dur": takes, "args": {"beats": beats}}


def _arrows(
    engine: Engine, track: Track, places: dict[int, tuple[Engine, int, int]], origin: int
) -> Iterator[Event]:
    """Draw tokens: from the end of work to the start of what waited for it."""
    for n, blocker in enumerate(track.blocker.tolist()):
        if blocker < 0:
            continue
        source, done, front = places[blocker]
        arrow = {"name": "token", "cat": "token", "pid": _PROCESS, "id": int(track.instruction[n])}
        yield {**arrow, "ph": "s", "tid": source + 1, "ts": origin + max(done - 1, front)}
        to = {"ph": "f", "bp": "e", "tid": engine + 1, "ts": origin + int(track.front[n])}
        yield {**arrow, **to}
