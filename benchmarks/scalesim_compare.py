"""SCALE-Sim's lists of layers as programs on our machines, beside the cycles that it reports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import Config
from shiftloom.sim.cycle.memory import Memory

from .command import BenchmarkError
from .model_cost import ModelCost, measure_model
from .scalesim_peer import DATAFLOWS
from .topologies import Layer, graph_of

__all__ = ["IDEAL", "MACHINES", "STANDARD", "Comparison", "compare"]

#: Bytes of the bus and memory, by a name of their own. Memory sends a beat in every cycle.
MACHINES = {
    "128-bit bus, latency 32": (16, Memory()),
    "128-bit bus, ideal": (16, Memory(latency=1)),
    "512-bit bus, ideal": (64, Memory(latency=1)),
}
STANDARD, IDEAL, _ = MACHINES


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A list of layers on our machines and on SCALE-Sim's array.

    Parameters
    ----------
    name : str
        The list.
    layers, macs : int
        How many layers, and their multiply-accumulates.
    size : int
        Rows and columns of the array.
    ours : dict
        What the cycle model says and costs, for each of ``MACHINES``.
    peer : dict
        Compute cycles that SCALE-Sim reports, for each of ``DATAFLOWS``: the closed form.
    """

    name: str
    layers: int
    macs: int
    size: int
    ours: dict[str, ModelCost]
    peer: dict[str, int]

    def utilization(self, cycles: int) -> float:
        """Return multiply-accumulates by what the array could do in these cycles."""
        return self.macs / (self.size * self.size * cycles)


def compare(
    name: str, layers: Sequence[Layer], config: Config, *, depthwise: bool = False
) -> Comparison:
    """Compile all layers as one program for each bus, and run the cycle model on each machine.

    Raises
    ------
    BenchmarkError
        The program's work is not the list's, or an array that is not square.
    """
    if config.rows != config.columns:
        raise BenchmarkError(f"{config.name}: the array must be square to be compared")
    graph, macs = graph_of(name, layers, depthwise=depthwise), sum(entry.macs for entry in layers)
    programs, ours = {}, {}
    for machine, (bus_bytes, memory) in MACHINES.items():
        if bus_bytes not in programs:
            wide = replace(config, name=f"{config.name}_{8 * bus_bytes}", bus_bytes=bus_bytes)
            programs[bus_bytes] = compile_graph(graph, wide)
        found = sum(layer.macs for layer in programs[bus_bytes].layers)
        if found != macs:
            raise BenchmarkError(f"{name}: {found:,} multiply-accumulates instead of {macs:,}")
        ours[machine] = measure_model(programs[bus_bytes], memory)
    peer = {d: sum(entry.cycles(d, config.rows) for entry in layers) for d in DATAFLOWS}
    return Comparison(
        name=name, layers=len(layers), macs=macs, size=config.rows, ours=ours, peer=peer
    )
