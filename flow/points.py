"""Points of an exploration: what is asked, what came of it, and the file that keeps both.

A line of the file is one point as JSON, under a key made of everything that its figures depend on:
network, configuration, memory and the sources that compute them. A run that is stopped loses at
most its last line.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ..compiler.compile import compile_graph
from ..compiler.errors import CompileError
from ..isa.config import Config
from ..quant.blob import graph_from_bytes
from ..sim.cycle.engine import run_segment
from ..sim.cycle.memory import Memory
from .errors import FlowError

__all__ = ["Task", "append_point", "evaluate", "read_points"]

Point = Mapping[str, Any]

_SOURCES = ("compiler", "isa", "quant", "sim", "sim.cycle")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A network on a configuration.

    Parameters
    ----------
    network : str
        Its name.
    graph : bytes
        It, as :func:`~shiftloom.quant.blob.graph_to_bytes` writes it.
    config : Config
        The accelerator.
    memory : Memory
        External memory.
    """

    network: str
    graph: bytes
    config: Config
    memory: Memory

    @property
    def key(self) -> str:
        """What the figures depend on, as a hash; the configuration's name is no part of it."""
        parts = (_sources(), hashlib.sha256(self.graph).hexdigest())
        rest = (self.network, self.config.id, asdict(self.memory))
        return hashlib.sha256(repr((*parts, *rest)).encode()).hexdigest()[:32]


@cache
def _sources() -> str:
    """Return a hash of the sources that a point's figures come from."""
    digest, root = hashlib.sha256(), (__package__ or "").rpartition(".")[0]
    for package in _SOURCES:
        folder = resources.files(f"{root}.{package}")
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def evaluate(task: Task) -> dict[str, Any]:
    """Return a point: figures, or the error that says why there are none."""
    config = {name: value for name, value in asdict(task.config).items() if name != "name"}
    point = {"key": task.key, "network": task.network, "config": config}
    point["memory"] = asdict(task.memory)
    try:
        program = compile_graph(graph_from_bytes(task.graph), task.config)
    except CompileError as error:
        return point | {"error": str(error)}
    runs = [run_segment(program, part, memory=task.memory) for part in program.segments]
    macs, cycles = sum(layer.macs for layer in program.layers), sum(run.cycles or 0 for run in runs)
    beats = sum(run.counters["READ_BEATS"] + run.counters["WRITE_BEATS"] for run in runs)
    return point | {
        "cycles": cycles,
        "macs": macs,
        "array_utilization": macs / (task.config.macs_per_cycle * cycles) if cycles else 0.0,
        "external_bytes": beats * task.config.bus_bytes,
    }


def read_points(path: Path) -> dict[str, Point]:
    """Return the points of a file by key; a last line that was not written to its end is left out.

    Raises
    ------
    FlowError
        Another line is no point.
    """
    if not path.exists():
        return {}
    points: dict[str, Point] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        point = _parsed(line)
        if point is not None:
            points[point["key"]] = point
        elif number < len(lines):
            raise FlowError(f"{path}: line {number} is no point: remove it, or the file")
    return points


def _parsed(line: str) -> Point | None:
    """Return a point with all that is asked of it later, or None."""
    try:
        point = json.loads(line)
    except ValueError:
        return None
    if not isinstance(point, dict) or not isinstance(point.get("key"), str):
        return None
    good = isinstance(point.get("error"), str) or isinstance(point.get("cycles"), int)
    return point if good else None


def append_point(path: Path, point: Point) -> None:
    """Write a point behind the others; what is left of a broken last line goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 1))
        if end and file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(point).encode() + b"\n")
