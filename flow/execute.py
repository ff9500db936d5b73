"""One sample through a program: segments on an engine, the rest on the host."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.program import HostStep, Program, ProgramError, Segment
from ..quant import golden
from ..quant.graph import Node, QuantGraph
from ..sim.memory import Regions, make_regions, read_tensor, write_tensor
from ..sim.result import Run

__all__ = ["Execution", "Runner", "execute"]

Array = NDArray[Any]

#: An engine: runs one segment and changes the regions.
Runner = Callable[[Program, Segment, Regions], Run]


@dataclass(frozen=True, kw_only=True, eq=False)
class Execution:
    """What one sample made of a program.

    Parameters
    ----------
    runs : tuple of Run
        One for each segment.
    host : dict
        What host nodes made: codes ``(channels, height, width)``, or floats without the batch.
    outputs : dict
        The network's outputs, likewise.
    """

    runs: tuple[Run, ...]
    host: dict[str, Array]
    outputs: dict[str, Array]


def execute(
    program: Program, graph: QuantGraph, codes: Mapping[str, Array], runner: Runner
) -> Execution:
    """Execute all steps of a program on one sample.

    Parameters
    ----------
    program, graph : Program, QuantGraph
        What to run, and the network it was compiled from.
    codes : mapping
        For each input codes ``(channels, height, width)``.
    runner : callable
        Runs segments.

    Raises
    ------
    ProgramError
        A step names a node or a tensor that does not exist, or does not fit the network.
    SimulationError
        The engine stopped.
    """
    return _Executor(program, graph, runner).execute(codes)


class _Executor:
    def __init__(self, program: Program, graph: QuantGraph, runner: Runner) -> None:
        self.program, self.graph, self.runner = program, graph, runner
        self.regions = make_regions(program)
        self.nodes = {node.name: node for node in graph.nodes}
        self.host: dict[str, Array] = {}

    def execute(self, codes: Mapping[str, Array]) -> Execution:
        for name in self.program.inputs:
            self.write(name, codes[name])
        runs = [self.step(step) for step in self.program.steps]
        outputs = {name: self.read(name) for name in self.program.outputs}
        return Execution(
            runs=tuple(run for run in runs if run is not None), host=self.host, outputs=outputs
        )

    def step(self, step: Segment | HostStep) -> Run | None:
        if isinstance(step, Segment):
            return self.runner(self.program, step, self.regions)
        if step.node not in self.nodes:
            raise ProgramError(f"the network has no node {step.node}")
        self.evaluate(self.nodes[step.node])
        return None

    def evaluate(self, node: Node) -> None:
        """Compute a node on the host: codes in float32, the batch as second axis; or floats."""
        inputs = [self.operand(name) for name in node.inputs]
        result = golden.run_node(self.graph, node, inputs)
        if node.output not in self.graph.tensors:
            self.host[node.output] = result[0]
            return
        self.host[node.output] = codes = result[:, 0].astype(np.int16)
        self.write(node.output, codes)

    def operand(self, name: str) -> Array:
        value = self.read(name)
        return value[:, None].astype(np.float32) if name in self.graph.tensors else value[None]

    def read(self, name: str) -> Array:
        if name in self.host:
            return self.host[name]
        try:
            return read_tensor(self.regions, self.program.place(name), self.program.config)
        except KeyError as error:
            raise ProgramError(f"{name} has no place in memory") from error
        except ValueError as error:
            raise ProgramError(str(error)) from error

    def write(self, name: str, codes: Array) -> None:
        """Put codes in memory; what only the host reads has no place there."""
        places = [place for place in self.program.places if place.tensor == name]
        try:
            for place in places:
                write_tensor(self.regions, place, codes, self.program.config)
        except ValueError as error:
            raise ProgramError(str(error)) from error
