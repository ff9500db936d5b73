"""The figures of a report as cells, for a terminal and for a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..sim.listing import short_name
from .report import Report, Usage, multipliers

__all__ = ["COLUMNS", "facts_of", "plain_row"]


@dataclass(frozen=True)
class Column:
    """A column of the table of layers; ``right`` is for numbers, ``narrow`` for terminals too."""

    title: str
    cell: Callable[[Usage], str]
    right: bool = True
    narrow: bool = True


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _bound(usage: Usage) -> str:
    """Return where most cycles went, and how many of them."""
    if not usage.cycles:
        return ""
    return f"{usage.bound} {usage.causes[usage.bound] / usage.cycles:.0%}"


COLUMNS = (
    Column("layer", lambda usage: short_name(usage.name), right=False),
    Column("operator", lambda usage: usage.operator, right=False),
    Column("MACs", lambda usage: f"{usage.macs:,}"),
    Column("cycles", lambda usage: f"{usage.cycles:,}"),
    Column("array", lambda usage: _percent(usage.array_utilization)),
    Column("all mult.", lambda usage: _percent(usage.multiplier_utilization)),
    Column("bound", _bound, right=False),
    Column("least, compute", lambda usage: f"{usage.least_compute:,}", narrow=False),
    Column("least, bytes", lambda usage: f"{usage.least_bytes:,}", narrow=False),
    Column("ext. bytes", lambda usage: f"{usage.external_bytes:,}"),
    Column("µJ", lambda usage: f"{sum(usage.energy_uj.values()):,.1f}"),
)


def plain_row(usage: Usage, columns: Sequence[Column] = COLUMNS) -> list[str]:
    """Return a layer's cells."""
    return [column.cell(usage) for column in columns]


def facts_of(found: Report) -> dict[str, str]:
    """Return what there is to say of all of a program."""
    total, config, memory = found.total, found.program.config, found.memory
    causes = (f"{name} {n / max(1, total.cycles):.1%}" for name, n in total.causes.items())
    energy = sum(total.energy_uj.values())
    return {
        "cycles": f"{total.cycles:,}",
        "multiply-accumulates": f"{total.macs:,}",
        "array utilization": (
            f"{_percent(total.array_utilization)} of {config.macs_per_cycle} multipliers"
        ),
        "multiplier utilization": (
            f"{_percent(total.multiplier_utilization)} of {multipliers(config)}, "
            "the vector unit's taps included"
        ),
        "cycles went to": ", ".join(causes),
        "lower bounds": (
            f"{total.least_compute:,} cycles from operands, {total.least_bytes:,} from bytes"
        ),
        "external memory": (
            f"{total.bytes['external_read']:,} bytes read, {total.bytes['external_write']:,} "
            f"written; latency {memory.latency}, a beat in {memory.interval} cycles, "
            f"{memory.outstanding} reads outstanding"
        ),
        "energy, an estimate": f"{energy:,.1f} µJ, of which {_largest(total)}",
    }


def _largest(total: Usage) -> str:
    """Return the largest parts of the energy."""
    parts = sorted(total.energy_uj.items(), key=lambda part: -part[1])[:3]
    energy = sum(total.energy_uj.values()) or 1.0
    return ", ".join(f"{name} {value / energy:.0%}" for name, value in parts)
