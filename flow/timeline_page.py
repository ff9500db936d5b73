"""The timeline of a report as one HTML page, which needs no network and no other file."""

import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.instructions import ENGINES, Buffer, Engine, Opcode
from ..isa.program import Program, Segment
from ..sim.cycle.engine import CycleRun
from ..sim.cycle.engine_queue import Wait
from ..sim.cycle.listing import Fields, list_segment
from ..sim.cycle.vector_issue import VectorIssue
from ..sim.listing import short_name
from ..sim.owners import owners_of
from ..sim.timeline import Track, describe_wait, tracks_of
from .report import Report

__all__ = ["timeline_page"]

_FOLDER = Path(__file__).parent / "timeline"

Ints = NDArray[np.int64]

#: Of each slice, in the order of ``COLUMNS`` in ``model.js``.
_Rows = list[list[int]]

#: In bytes or steps, and into which buffer.
_Amounts = Mapping[Engine, list[tuple[int, int]]]


def timeline_page(found: Report) -> str:
    """Return the page."""
    title = f"{found.program.name} on {found.program.config.name}: timeline"
    data = json.dumps(_data(found), separators=(",", ":"))
    parts = {
        "TITLE": html.escape(title),
        "DATA": data.replace("<", "\\u003c"),  # no name can end the script that holds it
        **{name.upper(): _read(f"{name}.js") for name in ("model", "view", "page")},
        "STYLE": _read("style.css"),
    }
    page = _read("page.html")
    pieces = page.split("@")
    return "".join(parts[p] if n % 2 else p for n, p in enumerate(pieces))


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8").rstrip()


def _data(found: Report) -> dict[str, Any]:
    total = found.total
    share = "" if total.array_utilization is None else f"{total.array_utilization:.1%}"
    return {
        "cycles": total.cycles,
        "facts_line": f"{total.cycles:,} cycles; array utilization {share}",
        "layers": [
            {
                "name": short_name(layer.name),
                "operator": layer.operator,
                "macs": layer.macs,
                "cycles": layer.cycles,
                "array": layer.array_utilization,
                "bound": layer.bound,
            }
            for layer in found.layers
        ],
        "buffers": [buffer.name.lower() for buffer in Buffer],
        "waits": [_wait(wait) for wait in Wait],
        "tokens": list(range(len(ENGINES))),
        "tracks": list(_tracks(found)),
    }


def _wait(wait: Wait) -> str:
    """Return what is waited for; the page adds the instruction, if there is one."""
    return wait.name if wait < len(ENGINES) else describe_wait(wait, -1)


def _tracks(found: Report) -> Iterator[dict[str, Any]]:
    """Return all tracks, from the top: layers, fetch, and the engines."""
    parts: dict[str, _Rows] = {name: [] for name in ("layer", "fetch")}
    parts |= {engine.name.lower(): [] for engine in ENGINES}
    origin = 0
    for segment, run in zip(found.program.segments, found.runs, strict=True):
        parts["layer"] += _layer_rows(found.program, segment, run, origin)
        parts["fetch"] += _fetch_rows(run, origin)
        amounts = _amounts(found.program, segment)
        for engine, track in tracks_of(found.program, segment, run).items():
            parts[engine.name.lower()] += _rows(track, amounts[engine], origin)
        origin += run.cycles or 0
    for name, rows in parts.items():
        work = name.upper() in Engine.__members__
        yield {"name": name, "work": work, "columns": _columns(rows, work)}


def _layer_rows(program: Program, segment: Segment, run: CycleRun, origin: int) -> _Rows:
    owners = owners_of(program, segment, run)
    begins = np.flatnonzero(np.diff(owners.layers, prepend=-1))
    ends = owners.edges[np.append(begins[1:], len(owners.layers))]
    fronts, layers = owners.edges[begins], owners.layers[begins]
    rows = zip(layers.tolist(), fronts.tolist(), ends.tolist(), strict=True)
    return [[0, layer, origin + front, origin + end] for layer, front, end in rows]


def _fetch_rows(run: CycleRun, origin: int) -> _Rows:
    return [
        [0, -1, origin + end - (beats - 1) * run.memory.interval, origin + end + 1]
        for end, beats in run.fetches.tolist()
    ]


def _rows(track: Track, amounts: list[tuple[int, int]], origin: int) -> _Rows:
    """Return instruction, layer, front, end, and what else there is to say, of each slice."""
    columns = (track.instruction, track.layer, origin + track.front, origin + track.done)
    rest = (track.front - track.start, track.wait, track.blocker, track.waited, track.stalled)
    table = np.column_stack([*columns, *rest]).tolist()
    return [[*row, *amount] for row, amount in zip(table, amounts, strict=True)]


def _columns(rows: _Rows, work: bool) -> list[list[int]]:
    """Return columns in which instruction, layer and time are differences: these are short."""
    if not rows:
        return []
    table = np.array(rows, np.int64).T
    instruction, layer, front, done = table[:4]
    gap = front - np.concatenate(([0], done[:-1]))
    columns = [np.diff(instruction, prepend=0), np.diff(layer, prepend=0), gap, done - front]
    if work:
        early, wait, blocker, *rest = table[4:]
        columns += [early, wait, np.where(blocker < 0, 0, instruction - blocker), *rest]
    return [column.tolist() for column in columns]


def _amounts(program: Program, segment: Segment) -> _Amounts:
    """Return what each piece of work moves or takes."""
    config = program.config
    amounts: dict[Engine, list[tuple[int, int]]] = {engine: [] for engine in ENGINES}
    settings: dict[Opcode, Fields] = {}
    for opcode, fields in list_segment(program, segment):
        if opcode in (Opcode.LOAD, Opcode.STORE):
            moved = fields["words"] * fields["runs"] * config.word_bytes
            buffer = min(fields["buffer"], len(Buffer) - 1) if opcode is Opcode.LOAD else 0
            amounts[Engine[opcode.name]].append((moved, buffer))
        elif opcode is Opcode.MAC:
            amounts[Engine.MAC].append((_operands(settings[Opcode.MAC_LOOPS], fields), 0))
        elif opcode is Opcode.VECTOR:
            amounts[Engine.VECTOR].append((_steps(config, settings, fields), 0))
        else:
            settings[opcode] = fields
    return amounts


def _operands(loops: Fields, work: Fields) -> int:
    tiles = loops["blocks"] * loops["groups"] * loops["kernel_rows"] * loops["kernel_columns"]
    return tiles * work["rows"] * loops["columns"]


def _steps(config: Config, settings: Mapping[Opcode, Fields], work: Fields) -> int:
    loops, requantize = settings[Opcode.VECTOR_LOOPS], settings[Opcode.VECTOR_REQUANTIZE]
    return VectorIssue(config, loops, requantize, work).count
