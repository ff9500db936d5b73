"""Where the cycles of a run went: by layer, adding up to the total."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.instructions import Engine, engine_of, is_work
from ..isa.program import Layer, Program, Segment
from ..sim.listing import short_name
from ..sim.result import Run

__all__ = ["LayerTime", "Times", "layer_times", "short_name"]

Labels = NDArray[np.int32]


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
        owners = _owners(program, segment, run)
        counts += np.bincount(owners, minlength=len(counts))
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


def _owners(program: Program, segment: Segment, run: Run) -> Labels:
    """Return the layer that each cycle of a run belongs to; one past the last for the rest."""
    if run.cycles is None or run.starts is None or run.dones is None:
        raise ValueError(f"the {run.engine} engine does not know time")
    none = -1
    owners = np.full(run.cycles, none, np.int32)
    for engine in (Engine.VECTOR, Engine.MAC):  # what the array does covers the rest
        layers, before = _layers_of(program, segment, engine), 0
        for layer, start, done in zip(
            layers, run.starts[engine], run.dones[engine], strict=True
        ):  # the next work enters the pipeline before this one has left it
            if layer >= 0:
                owners[max(start, before) : done] = layer
            before = done
    return _filled(owners, none, len(program.layers))


def _layers_of(program: Program, segment: Segment, engine: Engine) -> list[int]:
    """Return the layer of each piece of work of an engine, in order."""
    first, last = segment.first, segment.first + segment.count
    codes = [instruction.opcode for instruction in program.instructions[first:last]]
    own = [is_work(code) and engine_of(code) is engine for code in codes]
    return [int(layer) for layer in program.layer_of[first:last][own]]


def _filled(owners: Labels, none: int, rest: int) -> Labels:
    """Give each cycle without owner to the next owner; those behind the last to ``rest``."""
    places: NDArray[Any] = np.where(owners == none, len(owners), np.arange(len(owners)))
    following = np.minimum.accumulate(places[::-1])[::-1]
    return np.append(owners, np.int32(rest))[following]
