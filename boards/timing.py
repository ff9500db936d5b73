"""What place-and-route says about time: the clock it reached, and the longest path."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .resets_first import FIRST

__all__ = ["Step", "Timing", "read_timing"]

#: What synthesis appends to the names of signals.
_SUFFIX = re.compile(r"(_(TRELLIS_|SB_|LUT|CCU2C|PFUMX|L6MUX|MUX|ALU|DFF)\w*.*|\$.*)$")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A signal on a path: its name, and when its value is there, in nanoseconds."""

    signal: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Timing of the machine's clock.

    Parameters
    ----------
    achieved_mhz : float
        Clock at which every path has enough time.
    path : tuple of Step
        The path that takes longest, by the signals on it that the hardware's sources name.
    logic_ns, routing_ns : float
        What it spends in cells and on the way between them.
    levels : int
        Cells on it between its two registers.
    used : dict
        Cells used and available by type.
    """

    achieved_mhz: float
    path: tuple[Step, ...]
    logic_ns: float
    routing_ns: float
    levels: int
    used: dict[str, tuple[int, int]]


def read_timing(path: Path) -> Timing:
    """Return what a report of nextpnr says about the clock that is slowest."""
    report = json.loads(path.read_text(encoding="utf-8"))
    clocks = report["fmax"]
    slowest = min(clocks, key=lambda name: clocks[name]["achieved"])
    event = f"posedge {slowest}"
    paths = [p["path"] for p in report["critical_paths"] if p["from"] == p["to"] == event]
    steps = paths[0] if paths else []
    return Timing(
        achieved_mhz=clocks[slowest]["achieved"],
        path=_named(steps),
        logic_ns=sum(s["delay"] for s in steps if s["type"] != "routing"),
        routing_ns=sum(s["delay"] for s in steps if s["type"] == "routing"),
        levels=sum(s["type"] == "logic" and s["delay"] > 0 for s in steps),
        used={
            kind: (entry["used"], entry["available"])
            for kind, entry in report["utilization"].items()
            if entry["used"]
        },
    )


def _named(steps: list[dict[str, Any]]) -> tuple[Step, ...]:
    """Return the signals on a path, each once, carry chains as one."""
    found: list[Step] = []
    at = 0.0
    for step in steps:
        at += step["delay"]
        name = _SUFFIX.sub("", step.get("net", "") or step["to"]["cell"].removeprefix(FIRST))
        if name and (not found or found[-1].signal != name):
            found.append(Step(signal=name, at=round(at, 2)))
    return tuple(found)
