"""A ResNet-18 image's values and cycles without RTL, and how much faster that is than RTL.

``OPENBLAS_NUM_THREADS=1 python -m benchmarks.values_and_cycles``: RTL has one thread too
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import RenderableType
from rich.table import Table

from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.console import Shown
from shiftloom.flow.engines import simulation_text
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.progress import Progress
from shiftloom.flow.tables import plain_table
from shiftloom.isa.config import Config, load_config
from shiftloom.sim.rtl_engine import Engine, build_engine

from .command import run
from .goals import Goal, all_met, goals_data, goals_table
from .shapes import network, small_resnet18
from .speeds import Speeds, measure_speeds
from .subjects import MissingDataError, trained
from .whole_networks import Checked, check_network

__all__ = ["goals_of", "main", "values_and_cycles"]

#: Least times that values and cycles come faster than from the RTL engine.
_FASTER = 100


def values_and_cycles(*, config: str = "base", size: int = 64, shown: Shown = DEFAULT) -> int:
    """Time the values and cycles of a ResNet-18 image at 224x224 against the RTL engine.

    Seeded random weights and one random image. Before that, all integers and the first and last
    cycle of every piece of work are held against the RTL engine: on ResNet-8, if SHIFTLOOM_DATA is
    there, and on ResNet-18 for smaller images. The exit status is 0 if all goals are met, 1 if not,
    2 if anything differs.

    Parameters
    ----------
    config
        The accelerator: base, small, tiny, odd, or a TOML file.
    size
        Rows and columns of the smaller images.
    """
    accelerator = load_config(config)
    with shown.progress() as progress:
        engine = build_engine(simulation_text(accelerator, progress))
        checked = list(_checked(accelerator, engine, size, progress))
        progress("running ResNet-18", 0, 0)
        graph = network("resnet18")
        program = compile_graph(graph, accelerator)
        with TemporaryDirectory() as folder:
            speeds = measure_speeds("resnet18", graph, program, engine, Path(folder))
    goals = goals_of(speeds)
    data = {
        "checked": [asdict(entry) for entry in checked],
        "speeds": asdict(speeds) | {"first": speeds.first, "further": speeds.further},
        "goals": goals_data(goals),
    }
    shown.show(data, *_shown(checked, speeds, goals))
    return 0 if all_met(goals) else 1


def _checked(config: Config, engine: Engine, size: int, progress: Progress) -> Iterator[Checked]:
    try:
        subjects = {"resnet8": trained("resnet8").graph}
    except MissingDataError:
        subjects = {}
    subjects[f"resnet18 at {size}x{size}"] = small_resnet18(size)
    for index, (name, graph) in enumerate(subjects.items()):
        progress(f"comparing {name}", index, len(subjects))
        yield check_network(name, graph, compile_graph(graph, config), engine)


def goals_of(speeds: Speeds) -> list[Goal]:
    """Return the goals, with what was measured."""
    image = "RTL seconds / seconds, ResNet-18 at 224x224"
    return [
        Goal(
            what=f"{image}: one image, file to outputs",
            limit=_FASTER,
            least=True,
            measured=speeds.first,
        ),
        Goal(
            what=f"{image}: every further image", limit=_FASTER, least=True, measured=speeds.further
        ),
    ]


def _shown(
    checked: Sequence[Checked], speeds: Speeds, goals: Sequence[Goal]
) -> Iterator[RenderableType]:
    right = ("integers", "maps", "pieces of work", "cycles")
    table = plain_table("network", *right, right=right, title=f"\nAll equal, on {speeds.config}")
    for entry in checked:
        numbers = (entry.integers, entry.tensors, entry.work, entry.cycles)
        table.add_row(entry.name, *(f"{number:,}" for number in numbers))
    yield table
    yield _speeds_table(speeds)
    yield goals_table(goals)


def _speeds_table(speeds: Speeds) -> Table:
    ways = {
        "RTL engine": speeds.rtl_seconds,
        "simulate --engine cycle (values, cycles), of which": speeds.command_seconds,
        "- program and network read from the file": speeds.load_seconds,
        "- golden network (values)": speeds.network_seconds,
        "- cycle model, compiled (cycles)": speeds.model_seconds,
        "cycle model in Python (cycles)": speeds.modules_seconds,
        "program by definition (values)": speeds.definition_seconds,
    }
    title = f"\n{speeds.name}, one image: {speeds.cycles:,} cycles, {speeds.outputs:,} outputs"
    right = ("CPU s", "cycles/s", "x RTL")
    table = plain_table("way", *right, right=right, title=f"{title}, the same every way")
    for way, seconds in ways.items():
        rate = f"{speeds.cycles / seconds:,.0f}"
        table.add_row(way, f"{seconds:.3f}", rate, f"{speeds.rtl_seconds / seconds:,.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit status."""
    return run(values_and_cycles, arguments)


if __name__ == "__main__":
    sys.exit(main())
