"""An image's values and cycles, every way to them, and what each way costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shiftloom.flow.engines import make_runner
from shiftloom.flow.execute import Execution, Runner, execute
from shiftloom.isa.program import Program
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
