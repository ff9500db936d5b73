"""The verb ``report``: where a program's cycles, bytes and energy go, layer by layer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.program import Layer, Program
from ..sim.cycle.accesses import Access, accesses_of
from ..sim.cycle.causes import Cause, causes_of
from ..sim.cycle.engine import CycleRun, run_segment
from ..sim.cycle.memory import Memory
from ..sim.owners import owners_of
from .energy import energy_of, energy_table
from .networks import Source, open_program
from .progress import Progress, silent

__all__ = ["SCHEMA", "Report", "Usage", "report"]

#: Name and version of what ``report.json`` holds.
SCHEMA = "shiftloom-report-1"

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a layer, or all of a program, uses.

    Parameters
    ----------
    name, operator, engine : str
        As in the program's layer table; empty operator and engine for what is no layer.
    macs : int
        Multiply-accumulates of its definition.
    cycles : int
        Cycles that belong to it.
    array_utilization : float or None
        Multiply-accumulates by what the array could do in its cycles; None for layers of the vector
        unit, and where nothing is multiplied or no cycle belongs to it.
    multiplier_utilization : float or None
        The same over all multipliers, the vector unit's taps included.
    causes : mapping
        Its cycles by what they went to: compute, bandwidth, latency, dependency.
    bound : str
        Where most of its cycles went; empty if it has none.
    least_compute, least_bytes : int
        Lower bounds of its cycles: from the operands of its work, from its beats on the bus.
    bytes : mapping
        Bytes read and written, by memory.
    energy_uj : mapping
        Estimate in microjoules, by part of the machine.
    """

    name: str
    operator: str
    engine: str
    macs: int
    cycles: int
    array_utilization: float | None
    multiplier_utilization: float | None
    causes: Mapping[str, int]
    bound: str
    least_compute: int
    least_bytes: int
    bytes: Mapping[str, int]
    energy_uj: Mapping[str, float]

    @property
    def external_bytes(self) -> int:
        """Bytes over the bus."""
        return self.bytes["external_read"] + self.bytes["external_write"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Where everything goes.

    Parameters
    ----------
    program : Program
        What ran.
    memory : Memory
        External memory.
    layers : tuple of Usage
        In the order of the layer table.
    rest : Usage
        What belongs to no layer: fetching instructions, and the end of the program.
    total : Usage
        All of it.
    runs : tuple of CycleRun
        Of the program's segments.
    """

    program: Program
    memory: Memory
    layers: tuple[Usage, ...]
    rest: Usage
    total: Usage
    runs: tuple[CycleRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        config, memory = self.program.config, self.memory
        return {
            "schema": SCHEMA,
            "program": self.program.name,
            "config": asdict(config) | {"id": f"{config.id:#010x}"},
            "memory": asdict(memory),
            "peak": {
                "array_macs_per_cycle": config.macs_per_cycle,
                "macs_per_cycle": multipliers(config),
                "bus_bytes_per_cycle": config.bus_bytes / memory.interval,
            },
            "total": asdict(self.total),
            "layers": [asdict(layer) for layer in self.layers],
            "rest": asdict(self.rest),
            "energy": "an estimate; constants: " + energy_table().source,
        }


def multipliers(config: Config) -> int:
    """Return the multipliers of a machine: the array's and the vector unit's taps."""
    return config.macs_per_cycle + config.columns * config.vector_taps


def report(
    source: Source,
    config: Config | str | Path | None = None,
    output: str | Path | None = None,
    *,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return where a program's cycles, bytes and energy go, and write it to a folder.

    Times are those of the cycle model, which equal the hardware's; docs/cycle-model.md states the
    rules by which cycles belong to layers and to causes.

    Parameters
    ----------
    source : QuantGraph, Program, str or pathlib.Path
        A quantized network or a program, or the file of one.
    config : Config, str or pathlib.Path, optional
        The accelerator: needed for a network, checked for a program.
    output : str or pathlib.Path, optional
        Folder for ``report.json``, ``report.md``, ``layers.csv``, ``timeline.html``, and
        ``roofline.png`` where matplotlib is installed.
    memory : Memory, optional
        External memory.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, ProgramError, ConfigError, CompileError, FlowError
        The files or options cannot be used.
    SimulationError
        The machine would stop.
    """
    tell, chosen = progress or silent, memory or Memory()
    program, _ = open_program(source, config, tell)
    tell("running the cycle model", 0, 0)
    runs = tuple(run_segment(program, segment, memory=chosen) for segment in program.segments)
    tell("counting accesses", 0, 0)
    found = _account(program, chosen, runs)
    if output is not None:
        from .report_files import write_report

        write_report(found, output, tell)
    return found


def _account(program: Program, memory: Memory, runs: tuple[CycleRun, ...]) -> Report:
    """Add up what every layer uses in all segments."""
    rows = len(program.layers) + 1
    causes, accesses = np.zeros((rows, len(Cause)), np.int64), np.zeros((rows, len(Access)), int)
    for segment, run in zip(program.segments, runs, strict=True):
        causes += causes_of(program, segment, run, owners_of(program, segment, run))
        accesses += accesses_of(program, segment)
        beats = run.counters["FETCH_BEATS"]
        accesses[-1, Access.READ_BEATS] += beats
        accesses[-1, Access.EXTERNAL_READ] += beats * program.config.bus_bytes
    rest = Layer(name="(instructions and end)", operator="", engine="", output="", macs=0)
    macs = sum(layer.macs for layer in program.layers)
    usage = partial(_usage, config=program.config, memory=memory)
    layers = [usage(*row) for row in zip(program.layers, causes, accesses, strict=False)]
    total = usage(replace(rest, name="all", macs=macs), causes.sum(0), accesses.sum(0))
    return Report(
        program=program,
        memory=memory,
        layers=tuple(layers),
        rest=usage(rest, causes[-1], accesses[-1]),
        total=total,
        runs=runs,
    )


def _usage(layer: Layer, causes: Counts, uses: Counts, config: Config, memory: Memory) -> Usage:
    cycles = int(causes.sum())
    beats = int(max(uses[Access.READ_BEATS], uses[Access.WRITE_BEATS]))
    named = {kind.name.lower(): int(uses[kind]) for kind in Access}
    on_array = layer.engine != "vector"
    return Usage(
        name=layer.name,
        operator=layer.operator,
        engine=layer.engine,
        macs=layer.macs,
        cycles=cycles,
        array_utilization=_share(layer, config.macs_per_cycle, cycles) if on_array else None,
        multiplier_utilization=_share(layer, multipliers(config), cycles),
        causes={cause.name.lower(): int(causes[cause]) for cause in Cause},
        bound=Cause(int(causes.argmax())).name.lower() if cycles else "",
        least_compute=max(named["array_steps"], named["vector_steps"]),
        least_bytes=beats * memory.interval,
        bytes={name: n for name, n in named.items() if name.endswith(("_read", "_write"))},
        energy_uj=energy_of(uses, config),
    )


def _share(layer: Layer, peak: int, cycles: int) -> float | None:
    """Return multiply-accumulates by what multipliers could do; None where nothing multiplies."""
    return layer.macs / (peak * cycles) if cycles and layer.macs else None
