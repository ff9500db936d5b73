"""An image's values and cycles, every way to them, and what each way costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shiftloom.flow.engines import make_runner
from shiftloom.flow.execute import Runner, execute
from shiftloom.flow.networks import program_graph
from shiftloom.flow.simulate import simulate
from shiftloom.isa.program import Program, load_program
from shiftloom.quant import golden
from shiftloom.quant.graph import QuantGraph
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.rtl_engine import Engine

from .command import BenchmarkError

__all__ = ["Speeds", "measure_speeds"]

Codes = dict[str, NDArray[Any]]
Result = TypeVar("Result")

#: Runs without RTL; the shortest counts.
RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Processor seconds for one image, by each way to its values and cycles.

    The shortest of ``RUNS``, each with the program's file read again; RTL runs once.

    Parameters
    ----------
    name, config : str
        What ran on what.
    cycles, outputs : int
        Of the image, and integers in its outputs: both the same by every way.
    command_seconds : float
        What ``simulate --engine cycle`` does for one image, from the program's file to its outputs:
        the next three, and the image's codes.
    load_seconds : float
        Program file and the network in it: read and checked.
    network_seconds : float
        Golden execution of that network: values by matrix products.
    model_seconds : float
        Cycle model, compiled. Cycles do not depend on values: once for all images.
    modules_seconds : float
        Cycle model as its Python modules have it, where there is no compiler.
    definition_seconds : float
        Golden execution of the program, instruction by instruction: values by ``simulate``.
    rtl_seconds : float
        RTL engine, without recording writes.
    """

    name: str
    config: str
    cycles: int
    outputs: int
    command_seconds: float
    load_seconds: float
    network_seconds: float
    model_seconds: float
    modules_seconds: float
    definition_seconds: float
    rtl_seconds: float

    @property
    def first(self) -> float:
        """How many times faster than RTL one image is, from the program's file to its outputs."""
        return self.rtl_seconds / self.command_seconds

    @property
    def further(self) -> float:
        """The same for every further image of the same program: its cycles are known."""
        return self.rtl_seconds / self.network_seconds


def measure_speeds(
    name: str, graph: QuantGraph, program: Program, engine: Engine, folder: Path
) -> Speeds:
    """Run one random image every way: 32 cycles of latency, one beat per cycle.

    The program's file is written to ``folder``.

    Raises
    ------
    BenchmarkError
        Outputs or cycles that differ.
    """
    codes, file = _image(graph), folder / "program"
    program.save(file)
    images = {key: golden.decode_output(graph, key, values[None]) for key, values in codes.items()}
    right = golden.run(graph, _batch(codes))
    wanted = {key: right[key][0] for key in graph.outputs}
    outputs = {key: golden.decode_output(graph, key, right[key]) for key in graph.outputs}
    modules_seconds, cycles = _timed(lambda: _cycles(program, compiled=False))
    model_seconds, found = _timed(lambda: _cycles(program, compiled=True))
    command_seconds, said = _timed(lambda: simulate(file, images, "cycle"))
    _compare(f"{name}, compiled model", {}, {}, found, cycles)
    _compare(f"{name}, simulate", said.outputs, outputs, said.cycles, cycles)
    load_seconds, _ = _timed(lambda: _network(file))
    networks = iter([_network(file) for _ in range(RUNS)])
    network_seconds, _ = _timed(lambda: golden.run(next(networks), _batch(codes)))

    def seconds(way: str, runner: Runner, times: int) -> float:
        found_seconds, ran = _timed(lambda: execute(program, graph, codes, runner), times)
        known = [run.cycles for run in ran.runs if run.cycles is not None]
        _compare(f"{name}, {way}", ran.outputs, wanted, sum(known) if known else None, cycles)
        return found_seconds

    return Speeds(
        name=name,
        config=program.config.name,
        cycles=cycles,
        outputs=sum(codes.size for codes in wanted.values()),
        command_seconds=command_seconds,
        load_seconds=load_seconds,
        network_seconds=network_seconds,
        model_seconds=model_seconds,
        modules_seconds=modules_seconds,
        definition_seconds=seconds("program", make_runner("golden", program.config), RUNS),
        rtl_seconds=seconds("RTL engine", partial(engine.run_segment, trace=False), 1),
    )


def _cycles(program: Program, *, compiled: bool) -> int:
    runs = [run_segment(program, segment, compiled=compiled) for segment in program.segments]
    return sum(run.counters["CYCLES"] for run in runs)


def _network(file: Path) -> QuantGraph:
    return program_graph(load_program(file))


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


def _compare(what: str, found: Codes, wanted: Codes, cycles: int | None, right: int) -> None:
    """Compare outputs with the network's, and cycles with the model's where they are known."""
    for name, values in wanted.items():
        if not np.array_equal(found[name], values):
            raise BenchmarkError(f"{what}: output {name} is not the network's")
    if cycles not in (None, right):
        raise BenchmarkError(f"{what}: {cycles:,} cycles, {right:,} by the model")
