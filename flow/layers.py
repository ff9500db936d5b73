"""Where the cycles of a run went: by layer, adding up to the total."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..isa.config import Config
from ..isa.program import Layer, Program
from ..sim.listing import short_name
from ..sim.owners import owners_of
from ..sim.result import Run

__all__ = ["LayerTime", "Times", "layer_times", "short_name"]


@dataclass(frozen=True, kw_only=True)
class LayerTime:
    """One layer's work and time.

    Parameters
    ----------
    name, operator, engine : str
        As in the program's layer table.
    macs : int
        Multiply-accumulates of its definition.
    cycles : int
        Cycles that belong to it, see :func:`layer_times`.
    utilization : float or None
        Array utilization: multiply-accumulates by what the array could do in these cycles; None
        for layers of the vector unit, whose cycles are those that the array does not hide.
    """

    name: str
    operator: str
    engine: str
    macs: int
    cycles: int
    utilization: float | None


@dataclass(frozen=True, kw_only=True)
class Times:
    """Where the cycles of one sample went.

    Parameters
    ----------
    layers : tuple of LayerTime
        In the order of the layer table.
    rest : int
        Cycles after the last layer: results on their way to memory.
    cycles : int
        All cycles, from the start of the first segment to the end of the last.
    array_utilization : float
        All multiply-accumulates by what the array could do in all cycles.
    multiplier_utilization : float
        The same over all multipliers of the machine, the vector unit's taps included.
    """

    layers: tuple[LayerTime, ...]
    rest: int
    cycles: int
    array_utilization: float
    multiplier_utilization: float


def layer_times(program: Program, runs: Sequence[Run]) -> Times:
    """Return where the cycles of one sample went.

    A cycle belongs to the layer that the array works on; while it does not, to the layer that the
    vector unit works on; while neither works, to the layer that is next to work.

    Parameters
    ----------
    program : Program
        What ran.
    runs : sequence of Run
        One for each segment, with stamps.
    """
    counts = np.zeros(len(program.layers) + 1, np.int64)
    for segment, run in zip(program.segments, runs, strict=True):
        owners = owners_of(program, segment, run)
        np.add.at(counts, owners.layers, np.diff(owners.edges))
    cycles = int(counts.sum())
    config, macs = program.config, sum(layer.macs for layer in program.layers)
    layers = zip(program.layers, counts[:-1].tolist(), strict=True)
    return Times(
        layers=tuple(_layer_time(layer, count, config) for layer, count in layers),
        rest=int(counts[-1]),
        cycles=cycles,
        array_utilization=_share(macs, config.macs_per_cycle, cycles),
        multiplier_utilization=_share(macs, _multipliers(config), cycles),
    )


def _layer_time(layer: Layer, cycles: int, config: Config) -> LayerTime:
    on_array = layer.engine == "array"
    return LayerTime(
        name=layer.name,
        operator=layer.operator,
        engine=layer.engine,
        macs=layer.macs,
        cycles=cycles,
        utilization=_share(layer.macs, config.macs_per_cycle, cycles) if on_array else None,
    )


def _multipliers(config: Config) -> int:
    return config.macs_per_cycle + config.columns * config.vector_taps


def _share(macs: int, peak: int, cycles: int) -> float:
    return macs / (peak * cycles) if cycles else 0.0
