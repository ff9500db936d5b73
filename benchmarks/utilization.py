"""Array utilization of whole networks, everything included: measured on the generated Verilog.

``python -m benchmarks.utilization``
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Literal, get_args

from cyclopts import Parameter
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from shiftloom.flow.compile import compile
from shiftloom.flow.console import Shown
from shiftloom.flow.layers import short_name
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.progress import Progress
from shiftloom.flow.tables import plain_table
from shiftloom.isa.config import Config, load_config

from .command import run
from .count import NetworkCount, count_network
from .goals import Goal, all_met, goals_data, goals_table
from .subjects import MissingDataError, convolution, trained

__all__ = ["goals_of", "layers_of", "main", "totals_of", "utilization"]

Name = Literal["layer256", "resnet8", "dscnn", "resnet20"]

#: What is measured if nobody says what; the first is a synthetic layer, the rest is trained.
ALL: tuple[Name, ...] = get_args(Name)


def utilization(
    *,
    config: str = "base",
    networks: Annotated[Sequence[Name], Parameter(consume_multiple=True, negative=())] = ALL,
    shown: Shown = DEFAULT,
) -> int:
    """Measure work, cycles, utilization and traffic per layer on the RTL engine.

    A memory with 32 cycles of latency and one beat per cycle; one sample of each network, all of
    whose integers must equal the golden model's. The exit status is 0 if all goals are met that
    could be measured, 1 if not, 2 for errors.

    Parameters
    ----------
    config
        The accelerator: base, small, tiny, odd, or a TOML file.
    networks
        What to measure. All but layer256, a 256-channel 3x3 layer on 28x28, need SHIFTLOOM_DATA.
    """
    accelerator, skipped = load_config(config), dict[str, str]()
    with shown.progress() as progress:
        counts = list(_counts(networks, accelerator, skipped, progress))
    goals = goals_of(counts) if accelerator.id == load_config("base").id else []
    data = {
        "config": accelerator.name,
        "networks": [asdict(count) for count in counts],
        "skipped": skipped,
        "goals": goals_data(goals),
    }
    shown.show(data, *_tables(counts, skipped, goals, accelerator))
    return 0 if all_met(goals) else 1


def _counts(
    names: Sequence[Name], config: Config, skipped: dict[str, str], progress: Progress
) -> Iterator[NetworkCount]:
    """Measure networks, and note those that cannot be had."""
    for name in names:
        progress(f"quantizing {name}", 0, 0)
        try:
            subject = convolution(256, 28) if name == ALL[0] else trained(name)
        except MissingDataError as error:
            skipped[name] = str(error)
            continue
        program = compile(subject.graph, config, progress=progress)
        yield count_network(name, program, subject.inputs, progress)


def goals_of(counts: Sequence[NetworkCount]) -> list[Goal]:
    """Return the goals of ``base``, with what was measured."""
    shares = {count.name: count.array_utilization for count in counts}
    cycles = {count.name: count.cycles for count in counts}

    def share(what: str, name: str, limit: float) -> Goal:
        text = f"array utilization, {what}"
        return Goal(what=text, limit=limit, least=True, unit="%", measured=shares.get(name))

    return [
        share("256-channel 3x3 layer on 28x28", "layer256", 0.95),
        share("ResNet-8", "resnet8", 0.80),
        Goal(what="cycles, ResNet-8", limit=61_000, least=False, measured=cycles.get("resnet8")),
        share("DS-CNN", "dscnn", 0.45),
    ]


def layers_of(count: NetworkCount) -> Table:
    """Return a network's layers as a table."""
    right = ("MACs", "cycles", "array util.", "bytes read", "bytes written", "instr. bytes")
    title = f"\n{count.name} on {count.config}: {count.integers:,} integers equal golden"
    table = plain_table("layer", "engine", *right, right=right, title=title)
    for layer in count.layers:
        share = "" if layer.utilization is None else f"{layer.utilization:.1%}"
        traffic = (layer.read_bytes, layer.written_bytes, layer.instruction_bytes)
        work = (f"{layer.macs:,}", f"{layer.cycles:,}", share)
        cells = (short_name(layer.name), layer.engine, *work, *(f"{n:,}" for n in traffic))
        table.add_row(*(Text(cell) for cell in cells))
    table.add_section()
    traffic = (count.read_bytes, count.written_bytes, count.instruction_bytes)
    work = (f"{count.macs:,}", f"{count.cycles:,}", f"{count.array_utilization:.1%}")
    table.add_row("all", "", *work, *(f"{n:,}" for n in traffic), style="bold")
    return table


def totals_of(counts: Sequence[NetworkCount]) -> Table:
    """Return whole networks as a table, everything from start to done included."""
    work = ("cycles", "array busy", "array MACs", "all MACs")
    right = (*work, "array", "all", "multipliers", "bytes moved", "instr.")
    table = plain_table("network", *right, right=right, title="\nWhole networks, start to done")
    for count in counts:
        moved = count.read_bytes + count.written_bytes + count.instruction_bytes
        shares = (count.array_utilization, count.network_utilization, count.multiplier_utilization)
        table.add_row(
            count.name,
            f"{count.cycles:,}",
            f"{count.mac_cycles / count.cycles:.1%}",
            f"{count.array_macs:,}",
            f"{count.macs:,}",
            *(f"{share:.1%}" for share in shares),
            f"{moved:,}",
            f"{count.instruction_bytes / moved:.2%}",
        )
    table.caption_justify = "left"
    table.caption = (
        "array busy: share of the cycles in which the array took an operand\n"
        "array: MACs of layers on the array / (rows x columns x cycles)\n"
        "all: all MACs / (rows x columns x cycles)\n"
        "multipliers: all MACs / (columns x (rows + vector_taps) x cycles)\n"
        "instr.: the instructions' share of all bytes"
    )
    return table


def _tables(
    counts: Sequence[NetworkCount],
    skipped: dict[str, str],
    goals: Sequence[Goal],
    config: Config,
) -> Iterator[RenderableType]:
    yield (
        f"{config.name}: {config.rows}x{config.columns} array, {config.vector_taps} vector taps, "
        f"{8 * config.bus_bytes}-bit bus at one beat per cycle, latency 32 cycles"
    )
    yield from map(layers_of, counts)
    if counts:
        yield totals_of(counts)
    for name, reason in skipped.items():
        yield f"skipped {name}: {reason}"
    if goals:
        yield goals_table(goals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit status."""
    return run(utilization, arguments)


if __name__ == "__main__":
    sys.exit(main())
