"""Whole networks by the cycle model: utilization, traffic and bounds, beside what others reach.

``python -m benchmarks.networks``
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Literal, get_args

from cyclopts import Parameter
from rich.console import RenderableType
from rich.table import Table

from shiftloom.flow.compile import compile
from shiftloom.flow.console import Shown
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.progress import Progress
from shiftloom.flow.tables import plain_table

from .command import run
from .goals import Goal, all_met, goals_data, goals_table
from .model_count import ModelCount, count_program
from .shapes import network

__all__ = ["goals_of", "main", "networks"]

Name = Literal[
    "resnet18",
    "resnet50",
    "mobilenet_v1",
    "mobilenet_v2",
    "squeezenet",
    "vgg19",
    "vgg19_convolutions",
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025_96",
]
ALL: tuple[Name, ...] = get_args(Name)

#: Configurations other than ``base``.
_CONFIG = {"mobilenet_v1_025_96": "small"}

#: Least array utilization, and most cycles.
_UTILIZATION = {
    "resnet18": 0.94,
    "resnet50": 0.94,
    "mobilenet_v1": 0.88,
    "mobilenet_v2": 0.75,
    "vgg19_convolutions": 0.95,
    "resnet8": 0.93,
    "ds_cnn": 0.65,
}
_CYCLES = {"mobilenet_v1_025_96": 135_000}

#: Published by others, or derived from what they publish: machine, network, share, source.
PEERS = (
    ("Gemmini 16x16", "ResNet-50", "40 %, later 51 %", "ucb-bar/gemmini pull requests 69 and 90"),
    ("NVDLA, 32 to 2048 MACs", "ResNet-50", "43 to 74 %", "nvdla.org primer, estimates"),
    ("DPU 3 x B4096", "ResNet-50", "38 %", "PG338 v1.2, 175 images/s at 287 MHz"),
    ("DPU 3 x B4096", "SqueezeNet to YOLO-v3", "21 to 65 %", "the same table"),
    ("Tensil 32x32", "ResNet-20", "8 to 17.6 %", "k155la3.blog, 294 images/s at 100 MHz"),
    ("fpgaConvNet", "ResNet-8", "86.5 % of DSPs", "MLPerf Tiny v1.1, ZC706"),
    ("fpgaConvNet", "DS-CNN", "30.5 % of DSPs", "MLPerf Tiny v1.1, ZedBoard"),
    ("fpgaConvNet", "MobileNetV1-0.25", "9.2 % of DSPs", "MLPerf Tiny v1.1, ZC706"),
)


def networks(
    *,
    names: Annotated[Sequence[Name], Parameter(consume_multiple=True, negative=())] = ALL,
    shown: Shown = DEFAULT,
) -> int:
    """Measure whole networks on the cycle model, with seeded random weights.

    On `base`, except MobileNetV1-0.25 at 96x96, on `small`; a memory with 32 cycles of latency and
    one beat per cycle. The exit status is 0 if all goals are met that were measured, 1 if not.

    Parameters
    ----------
    names
        What to measure.
    """
    with shown.progress() as progress:
        counts = list(_counts(names, progress))
    goals = goals_of(counts)
    data = {
        "networks": [asdict(count) | {"bound": count.bound} for count in counts],
        "goals": goals_data(goals),
        "peers": [list(peer) for peer in PEERS],
    }
    shown.show(data, *_tables(counts, goals))
    return 0 if all_met(goals) else 1


def _counts(names: Sequence[Name], progress: Progress) -> Iterator[ModelCount]:
    for index, name in enumerate(names):
        progress(f"measuring {name}", index, len(names))
        graph, started = network(name), time.process_time()
        program = compile(graph, _CONFIG.get(name, "base"))
        yield count_program(name, program, time.process_time() - started)


def goals_of(counts: Sequence[ModelCount]) -> list[Goal]:
    """Return the goals of the networks that were measured."""
    found = []
    for count in counts:
        if (limit := _UTILIZATION.get(count.name)) is not None:
            what, measured = f"array utilization, {count.name}", count.array_utilization
            found.append(Goal(what=what, limit=limit, least=True, unit="%", measured=measured))
        if (most := _CYCLES.get(count.name)) is not None:
            what = f"cycles, {count.name} on {count.config}"
            found.append(Goal(what=what, limit=most, least=False, measured=count.cycles))
    return found


def _tables(counts: Sequence[ModelCount], goals: Sequence[Goal]) -> Iterator[RenderableType]:
    yield _work(counts)
    yield _traffic(counts)
    yield goals_table(goals)
    peers = plain_table("machine", "network", "share", "source", title="\nWhat others publish")
    for peer in PEERS:
        peers.add_row(*peer)
    yield peers


def _work(counts: Sequence[ModelCount]) -> Table:
    right = ("MACs", "cycles", "array", "multipliers", "bound by array", "by bus", "bound/cycles")
    table = plain_table("network", *right, right=right, title="\nWhole networks, start to done")
    for count in counts:
        table.add_row(
            count.name,
            *(f"{number:,}" for number in (count.macs, count.cycles)),
            *(f"{share:.1%}" for share in (count.array_utilization, count.multiplier_utilization)),
            *(f"{number:,}" for number in (count.compute_bound, count.bytes_bound)),
            f"{count.bound / count.cycles:.1%}",
        )
    table.caption_justify = "left"
    table.caption = (
        "array: all MACs / (rows x columns x cycles)\n"
        "multipliers: all MACs / (columns x (rows + vector_taps) x cycles)\n"
        "bound by bus: weights, inputs and outputs once"
    )
    return table


def _traffic(counts: Sequence[ModelCount]) -> Table:
    shares = ("array busy", "vector busy", "instr./weights", "compile s", "model s")
    right = ("bytes moved", "at least", *shares)
    table = plain_table("network", *right, right=right, title="\nTraffic and time")
    for count in counts:
        table.add_row(
            count.name,
            *(f"{number:,}" for number in (count.moved_bytes, count.least_bytes)),
            *(f"{n / count.cycles:.1%}" for n in (count.mac_cycles, count.vector_cycles)),
            f"{count.instruction_bytes / count.weight_bytes:.2%}",
            *(f"{seconds:.1f}" for seconds in (count.compile_seconds, count.model_seconds)),
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit status."""
    return run(networks, arguments)


if __name__ == "__main__":
    sys.exit(main())
