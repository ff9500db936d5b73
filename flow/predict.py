"""Samples through a program that is not run: values by the network, times by the cycle model."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..isa.program import Program
from ..quant import golden
from ..quant.graph import QuantGraph
from ..sim.cycle.engine import run_segment
from ..sim.cycle.memory import Memory
from .execute import Execution

__all__ = ["predict"]


def predict(
    program: Program,
    graph: QuantGraph,
    codes: Mapping[str, NDArray[Any]],
    memory: Memory | None = None,
) -> list[Execution]:
    """Return what a program makes of each sample, and when; ``verify`` shows that it does.

    Parameters
    ----------
    program, graph : Program, QuantGraph
        What would run, and the network it was compiled from.
    codes : mapping
        For each input codes ``(samples, channels, height, width)``.
    memory : Memory, optional
        External memory.

    Returns
    -------
    list of Execution
        One for each sample. Their runs are the same: times do not depend on values.

    Raises
    ------
    ModelError
        Codes that do not fit the network.
    SimulationError
        The machine would stop.
    """
    runs = tuple(run_segment(program, segment, memory=memory) for segment in program.segments)
    values = golden.run(graph, codes)
    count = len(next(iter(codes.values())))
    return [
        Execution(runs=runs, host={}, outputs={name: values[name][k] for name in graph.outputs})
        for k in range(count)
    ]
