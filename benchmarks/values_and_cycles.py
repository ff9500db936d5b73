"""A ResNet-18 image's values and cycles without RTL, and how much faster that is than RTL.

``python -m benchmarks.values_and_cycles``
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.table import Table

from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.console import Shown
from shiftloom.flow.engines import make_runner, simulation_text
from shiftloom.flow.execute import Execution, Runner, execute
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.progress import Progress
from shiftloom.flow.tables import plain_table
from shiftloom.isa.config import Config, load_config
from shiftloom.isa.program import Program
from shiftloom.quant import golden
from shiftloom.quant.graph import QuantGraph
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.rtl_engine import Engine, build_engine

from .command import BenchmarkError, run
from .goals import Goal, all_met, goals_data, goals_table
from .shapes import network, small_resnet18
from .subjects import MissingDataError, trained
from .whole_networks import Checked, check_network

__all__ = ["Speeds", "goals_of", "main", "measure_speeds", "values_and_cycles"]

Codes = dict[str, NDArray[Any]]
Result = TypeVar("Result")

#: Runs without RTL; the shortest counts.
RUNS = 3

#: Least times that values and cycles come faster than from the RTL engine.
_FASTER = 100


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Processor seconds for one image, by each way to its values and cycles.

    The shortest of ``RUNS``, so that the program's instructions are decoded before; RTL runs once.

    Parameters
    ----------
    name, config : str
        What ran on what.
    cycles, outputs : int
        Of the image, and integers in its outputs: both the same by every way.
    network_seconds : float
        Golden execution of the quantized network: values by matrix products.
    model_seconds : float
        Cycle model. Cycles do not depend on values: once for all images.
    definition_seconds : float
        Golden execution of the program, instruction by instruction: values as ``simulate --engine
        cycle`` has them.
    command_seconds : float
        What ``simulate --engine cycle`` does for a first image: program and cycle model.
    rtl_seconds : float
        RTL engine, without recording writes.
    """

    name: str
    config: str
    cycles: int
    outputs: int
    network_seconds: float
    model_seconds: float
    definition_seconds: float
    command_seconds: float
    rtl_seconds: float

    @property
    def first(self) -> float:
        """How many times faster than RTL a first image is, network and cycle model."""
        return self.rtl_seconds / (self.network_seconds + self.model_seconds)

    @property
    def further(self) -> float:
        """The same for every further image of the same program: its cycles are known."""
        return self.rtl_seconds / self.network_seconds


def measure_speeds(name: str, graph: QuantGraph, program: Program, engine: Engine) -> Speeds:
    """Run one random image every way: 32 cycles of latency, one beat per cycle.

    Raises
    ------
    BenchmarkError
        Outputs or cycles that differ.
    """
    codes, quick = _image(graph), partial(engine.run_segment, trace=False)
    network_seconds, values = _timed(lambda: golden.run(graph, _batch(codes)))
    model_seconds, runs = _timed(lambda: [run_segment(program, s) for s in program.segments])
    cycles = sum(found.counters["CYCLES"] for found in runs)
    wanted = {key: values[key][0] for key in graph.outputs}

    def seconds(way: str, make: Callable[[], Runner], times: int = RUNS) -> float:
        found_seconds, found = _timed(lambda: execute(program, graph, codes, make()), times)
        _compare(f"{name}, {way}", found, wanted, cycles)
        return found_seconds

    return Speeds(
        name=name,
        config=program.config.name,
        cycles=cycles,
        outputs=sum(codes.size for codes in wanted.values()),
        network_seconds=network_seconds,
        model_seconds=model_seconds,
        definition_seconds=seconds("program", lambda: make_runner("golden", program.config)),
        command_seconds=seconds("cycle engine", lambda: make_runner("cycle", program.config)),
        rtl_seconds=seconds("RTL engine", lambda: quick, 1),
    )


def _image(graph: QuantGraph) -> Codes:
    generator, tensors = np.random.default_rng(0), graph.tensors
    return {
        name: generator.integers(tensors[name].low, tensors[name].high + 1, tensors[name].shape)
        for name in graph.inputs
    }


def _batch(codes: Codes) -> Codes:
    return {name: values[None] for name, values in codes.items()}


def _timed(work: Callable[[], Result], times: int = RUNS) -> tuple[float, Result]:
    """Return the least processor time of some runs, and the last one's result."""
    seconds = []
    for _ in range(times):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return min(seconds), result


def _compare(what: str, found: Execution, wanted: Codes, cycles: int) -> None:
    """Compare outputs with the network's, and cycles with the model's where they are known."""
    for name, values in wanted.items():
        if not np.array_equal(found.outputs[name], values):
            raise BenchmarkError(f"{what}: output {name} is not the network's")
    known = [run.cycles for run in found.runs if run.cycles is not None]
    if known and sum(known) != cycles:
        raise BenchmarkError(f"{what}: {sum(known):,} cycles, {cycles:,} by the model")


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
        speeds = measure_speeds("resnet18", graph, program, engine)
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
        Goal(what=f"{image}: values and cycles", limit=_FASTER, least=True, measured=speeds.first),
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
        "simulate --engine cycle: program by definition, cycle model": speeds.command_seconds,
        "program by definition (values)": speeds.definition_seconds,
        "cycle model (cycles)": speeds.model_seconds,
        "golden network (values)": speeds.network_seconds,
        "golden network and cycle model": speeds.network_seconds + speeds.model_seconds,
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
