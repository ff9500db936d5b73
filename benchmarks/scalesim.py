"""SCALE-Sim's lists of layers on this accelerator, by the cycle model, beside SCALE-Sim's cycles.

``python -m benchmarks.scalesim``
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter
from rich.console import RenderableType
from rich.table import Table

from shiftloom.flow.console import Shown
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.progress import Progress
from shiftloom.flow.tables import plain_table
from shiftloom.isa.config import Config, load_config

from .command import run
from .goals import Goal, all_met, goals_data, goals_table
from .scalesim_compare import IDEAL, STANDARD, Comparison, compare
from .scalesim_peer import DATAFLOWS, PeerRun, run_peer, smallest
from .subjects import data_file
from .topologies import Layer, read_topology

__all__ = ["goals_of", "main", "scalesim"]

Name = Literal[
    "resnet50",
    "resnet18",
    "googlenet",
    "alexnet",
    "yolo_tiny",
    "mobilenet",
    "mobilenet_depthwise",
]
ALL: tuple[Name, ...] = get_args(Name)

#: Files; the last but one as listed, one filter for a depthwise layer, the last as it is meant.
_FILES = {
    "resnet50": "Resnet50.csv",
    "resnet18": "Resnet18.csv",
    "googlenet": "Googlenet.csv",
    "alexnet": "alexnet.csv",
    "yolo_tiny": "yolo_tiny.csv",
    "mobilenet": "mobilenet.csv",
    "mobilenet_depthwise": "mobilenet.csv",
}

_TITLES = {"ws": "SCALE-Sim, weight stationary", "os": "SCALE-Sim, output stationary"}

#: Of ResNet-50: share of the array with ideal memory, seconds and bytes of the model.
_UTILIZATION, _SECONDS, _GIBIBYTES = 0.97, 5.0, 1.0


def scalesim(
    *,
    names: Annotated[Sequence[Name], Parameter(consume_multiple=True, negative=())] = ALL,
    peer: Path | None = None,
    check: int = 3,
    shown: Shown = DEFAULT,
) -> int:
    """Compare cycles with SCALE-Sim's on its own lists of layers, 16x16 multipliers on both sides.

    Ours are everything, from start to done, of one program with all layers of `base`: loading,
    storing and instructions included. SCALE-Sim's are compute cycles, by their closed form. Needs
    SHIFTLOOM_DATA. The exit status is 0 if all goals are met that were measured, 1 if not, 2 for
    errors.

    Parameters
    ----------
    names
        The lists.
    peer
        A Python that has the package scalesim, to hold the closed form against.
    check
        How many layers it runs, the smallest.
    """
    config, read = load_config("base"), {name: _layers(name) for name in names}
    with shown.progress() as progress:
        found = list(_comparisons(read, config, progress))
        progress("running SCALE-Sim", 0, 0)
        every = [layer for layers in read.values() for layer in layers]
        runs = _peer_runs(peer, smallest(every, check, config.rows), config.rows)
    goals = goals_of(found)
    data = {
        "lists": [asdict(entry) for entry in found],
        "peer": [asdict(entry) for entry in runs],
        "goals": goals_data(goals),
    }
    shown.show(data, *_shown(found, runs, goals))
    return 0 if all_met(goals) else 1


def _layers(name: str) -> list[Layer]:
    return read_topology(data_file("topologies", _FILES[name]))


def _comparisons(
    read: dict[Name, list[Layer]], config: Config, progress: Progress
) -> Iterator[Comparison]:
    for index, (name, layers) in enumerate(read.items()):
        progress(f"measuring {name}", index, len(read))
        yield compare(name, layers, config, depthwise=name.endswith("depthwise"))


def _peer_runs(python: Path | None, layers: Sequence[Layer], size: int) -> list[PeerRun]:
    if python is None or not layers:
        return []
    return [run_peer(python, layers, dataflow, size) for dataflow in DATAFLOWS]


def goals_of(found: Sequence[Comparison]) -> list[Goal]:
    """Return the goals of ResNet-50, with what was measured."""
    entry = next((entry for entry in found if entry.name == "resnet50"), None)
    if entry is None:
        return []
    ideal, standard = entry.ours[IDEAL], entry.ours[STANDARD]
    share = entry.utilization(ideal.cycles)
    gibibytes = standard.peak_bytes / (1 << 30)
    model = "ResNet-50's list by the cycle model"
    return [
        Goal(
            what=f"array utilization, ResNet-50's list, {IDEAL}",
            limit=_UTILIZATION,
            least=True,
            unit="%",
            measured=share,
        ),
        Goal(what=model, limit=_SECONDS, least=False, unit="s", measured=standard.seconds),
        Goal(what=model, limit=_GIBIBYTES, least=False, unit="GiB", measured=gibibytes),
    ]


def _shown(
    found: Sequence[Comparison], runs: Sequence[PeerRun], goals: Sequence[Goal]
) -> Iterator[RenderableType]:
    yield _cycles_table(found)
    yield _peer_table(runs) if runs else "SCALE-Sim was not run (--peer): closed form alone"
    if goals:
        yield goals_table(goals)


def _cycles_table(found: Sequence[Comparison]) -> Table:
    right = ("cycles", "array", "CPU s", "wall s", "peak MiB")
    table = plain_table("list", "machine", *right, right=right, title="\nThe same layers")
    for entry in found:
        titles = [entry.name, f"{entry.layers} layers,", f"{entry.macs:,} MACs"]
        for title, (machine, cost) in zip(titles, entry.ours.items(), strict=True):
            times = (f"{cost.seconds:.2f}", f"{cost.wall_seconds:.2f}")
            share, peak = f"{entry.utilization(cost.cycles):.1%}", f"{cost.peak_bytes >> 20:,}"
            table.add_row(title, machine, f"{cost.cycles:,}", share, *times, peak)
        for dataflow, cycles in entry.peer.items():
            table.add_row("", _TITLES[dataflow], f"{cycles:,}", f"{entry.utilization(cycles):.1%}")
        table.add_section()
    table.caption_justify = "left"
    table.caption = (
        "array: all MACs / (rows x columns x cycles)\n"
        "ideal: latency 1, a beat every cycle, 16 requests; times and memory: the cycle model's\n"
        "SCALE-Sim: compute cycles, without memory; ours have everything from start to done"
    )
    return table


def _peer_table(runs: Sequence[PeerRun]) -> Table:
    right = ("cycles", "CPU s", "cycles/s", "peak MiB")
    title = f"\nSCALE-Sim {runs[0].version} itself, each layer equal to the closed form"
    table = plain_table("dataflow", "layers", *right, right=right, title=title)
    for entry in runs:
        figures = (f"{entry.cycles:,}", f"{entry.seconds:.1f}", f"{entry.cycles_per_second:,.0f}")
        peak = f"{entry.peak_bytes >> 20:,}"
        table.add_row(entry.dataflow, ", ".join(entry.layers), *figures, peak)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit status."""
    return run(scalesim, arguments)


if __name__ == "__main__":
    sys.exit(main())
