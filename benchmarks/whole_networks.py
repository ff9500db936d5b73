"""Whole networks on the generated Verilog: every integer and every cycle, one image.

``python -m benchmarks.whole_networks``
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from shiftloom.flow.compile import compile
from shiftloom.flow.console import Shown
from shiftloom.flow.engines import simulation_text
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.tables import plain_table
from shiftloom.isa.config import load_config
from shiftloom.isa.program import Program
from shiftloom.quant import golden
from shiftloom.quant.graph import QuantGraph
from shiftloom.sim.compare import assemble
from shiftloom.sim.cycle.compare import first_time_difference
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.memory import make_regions, write_tensor
from shiftloom.sim.rtl_engine import Engine, build_engine

from .command import BenchmarkError, run
from .networks import Name
from .shapes import network

__all__ = ["Checked", "check_network", "main", "whole_networks"]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A network whose integers and cycles are all as they should be.

    Parameters
    ----------
    name, config : str
        What ran on what.
    integers, tensors : int
        Codes on the chip or stored, all equal to the golden network's, and their feature maps.
    work : int
        Pieces of work whose first and last cycle equal the cycle model's.
    cycles : int
        From start to done, on both.
    array_utilization : float
        Multiply-accumulates by what the array could do in these cycles.
    rtl_seconds, golden_seconds, other_seconds : float
        Processor time of the RTL engine, of the golden network, and of what remains: cycle model
        and comparisons. They hold on a busy machine too.
    """

    name: str
    config: str
    integers: int
    tensors: int
    work: int
    cycles: int
    array_utilization: float
    rtl_seconds: float
    golden_seconds: float
    other_seconds: float

    @property
    def seconds(self) -> float:
        """All processor time."""
        return self.rtl_seconds + self.golden_seconds + self.other_seconds


def check_network(
    name: str, graph: QuantGraph, program: Program, engine: Engine, seed: int = 0
) -> Checked:
    """Run one random image on the RTL engine: 32 cycles of latency, one beat per cycle.

    Raises
    ------
    BenchmarkError
        The first integer or cycle that differs.
    """
    begun, codes = time.process_time(), _image(graph, seed)
    regions = make_regions(program)
    for tensor, values in codes.items():
        write_tensor(regions, program.place(tensor), values, program.config)
    started, runs = time.process_time(), []
    for segment in program.segments:
        runs.append(engine.run_segment(program, segment, regions))
    rtl_seconds, started = time.process_time() - started, time.process_time()
    batch = {key: values[None] for key, values in codes.items()}
    want = golden.run(graph, batch, keep=True)
    golden_seconds = time.process_time() - started
    for segment, found in zip(program.segments, runs, strict=True):
        expected = run_segment(program, segment)
        if (difference := first_time_difference(program, segment, expected, found)) is not None:
            raise BenchmarkError(f"{name}: {difference}")
    formats = {tensor: t.format for tensor, t in graph.tensors.items()}
    tensors = assemble(program, program.segments, runs, formats)
    integers = _compare(name, want, tensors)
    cycles = sum(found.cycles or 0 for found in runs)
    macs = sum(layer.macs for layer in program.layers)
    return Checked(
        name=name,
        config=program.config.name,
        integers=integers,
        tensors=len(tensors),
        work=sum(len(stamps) for found in runs for stamps in (found.dones or {}).values()),
        cycles=cycles,
        array_utilization=macs / (program.config.macs_per_cycle * cycles),
        rtl_seconds=rtl_seconds,
        golden_seconds=golden_seconds,
        other_seconds=time.process_time() - begun - rtl_seconds - golden_seconds,
    )


def _image(graph: QuantGraph, seed: int) -> dict[str, np.ndarray]:
    generator, found = np.random.default_rng(seed), {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        found[name] = generator.integers(tensor.low, tensor.high + 1, tensor.shape)
    return found


def _compare(name: str, want: dict[str, np.ndarray], tensors: dict[str, np.ndarray]) -> int:
    """Compare all tensors with the golden network's; return how many integers are equal."""
    for tensor, values in tensors.items():
        wrong = np.argwhere(values != want[tensor][0])
        if len(wrong):
            place = tuple(wrong[0].tolist())
            right, found = want[tensor][0][place], values[place]
            raise BenchmarkError(f"{name}: {tensor}{list(place)} is {found} instead of {right}")
    return sum(values.size for values in tensors.values())


def whole_networks(
    *,
    names: Annotated[Sequence[Name], Parameter(consume_multiple=True, negative=())] = (
        "mobilenet_v2",
        "resnet50",
    ),
    config: str = "base",
    shown: Shown = DEFAULT,
) -> int:
    """Run networks with seeded random weights on the RTL engine, and compare everything.

    Every integer of every feature map must equal the golden network's, and the first and last
    cycle of every piece of work the cycle model's; otherwise the exit status is 2.

    Parameters
    ----------
    names
        What to run.
    config
        The accelerator: base, small, tiny, odd, or a TOML file.
    """
    accelerator, found, compiled = load_config(config), [], []
    with shown.progress() as progress:
        engine = build_engine(simulation_text(accelerator, progress))
        for index, name in enumerate(names):
            progress(f"running {name}", index, len(names))
            graph, started = network(name), time.process_time()
            program = compile(graph, config)
            compiled.append(time.process_time() - started)
            found.append(check_network(name, graph, program, engine))
    seconds = ("RTL", "golden", "other", "compile", "all s")
    right = ("integers", "maps", "pieces of work", "cycles", "array", *seconds)
    table = plain_table("network", *right, right=right, title=f"\nAll equal, on {config}")
    table.caption = "processor seconds"
    for entry, before in zip(found, compiled, strict=True):
        numbers = (entry.integers, entry.tensors, entry.work, entry.cycles)
        parts = (entry.rtl_seconds, entry.golden_seconds, entry.other_seconds, before)
        share = f"{entry.array_utilization:.1%}"
        cells = [f"{s:.1f}" for s in (*parts, entry.seconds + before)]
        table.add_row(entry.name, *(f"{n:,}" for n in numbers), share, *cells)
    data = [
        asdict(entry) | {"compile_seconds": before}
        for entry, before in zip(found, compiled, strict=True)
    ]
    shown.show({"networks": data}, table)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit status."""
    return run(whole_networks, arguments)


if __name__ == "__main__":
    sys.exit(main())
