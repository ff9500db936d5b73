"""Results as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from .build import Build
from .check import Finding
from .doctor import Item
from .explore import Exploration
from .explore_files import candidate_row, columns_of
from .layers import Times, short_name
from .report import Report
from .report_columns import COLUMNS, plain_row

__all__ = [
    "blocks_table",
    "candidates_table",
    "facts_table",
    "findings_table",
    "items_table",
    "layers_table",
    "path_table",
    "plain_table",
    "usage_table",
]

_FATES = {"refused": "red", "host": "yellow", "array": "green", "vector": "green"}


def plain_table(*columns: str, right: Sequence[str] = (), title: str = "") -> Table:
    """Return an empty table; columns in ``right`` are aligned to the right."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def facts_table(facts: Mapping[str, Any]) -> Table:
    """Return names and values."""
    table = plain_table("", "")
    table.show_header = False
    for name, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(Text(name, "bold"), Text(shown))
    return table


def layers_table(times: Times, title: str) -> Table:
    """Return layers with their work and time, and totals."""
    table = plain_table(
        *("layer", "operator", "engine", "MACs", "cycles", "array utilization"),
        right=("MACs", "cycles", "array utilization"),
        title=title,
    )
    for layer in times.layers:
        share = "" if layer.utilization is None else f"{layer.utilization:.1%}"
        words = (short_name(layer.name), layer.operator, layer.engine)
        cells = (*words, f"{layer.macs:,}", f"{layer.cycles:,}", share)
        table.add_row(*(Text(cell) for cell in cells))
    table.add_row("(end of program)", "", "", "", f"{times.rest:,}", "", end_section=True)
    macs = sum(layer.macs for layer in times.layers)
    share = f"{times.array_utilization:.1%}"
    table.add_row("all", "", "", f"{macs:,}", f"{times.cycles:,}", share, style="bold")
    multipliers = f"{times.multiplier_utilization:.1%}"
    table.caption = f"utilization of all multipliers, the vector unit's included: {multipliers}"
    table.caption_justify = "left"
    return table


def usage_table(found: Report, title: str) -> Table:
    """Return what each layer of a report uses, and the sum."""
    columns = [column for column in COLUMNS if column.narrow]
    table = plain_table(title=title)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, overflow="fold", no_wrap=column.right)
    for usage in found.layers:
        table.add_row(*(Text(cell) for cell in plain_row(usage, columns)))
    rest, total = (plain_row(usage, columns) for usage in (found.rest, found.total))
    table.add_row(*(Text(cell) for cell in rest), end_section=True)
    table.add_row(*(Text(cell) for cell in total), style="bold")
    return table


def candidates_table(found: Exploration) -> Table:
    """Return configurations, the fastest first."""
    table = plain_table()
    for title in columns_of(found):
        left = title in ("best", "configuration")
        table.add_column(title, justify="left" if left else "right", overflow="fold")
    for candidate in found.candidates:
        cells = (Text(cell) for cell in candidate_row(candidate))
        table.add_row(*cells, style="bold" if candidate.best else "")
    return table


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return what becomes of each node."""
    table = plain_table("node", "operator", "fate", "reason", "remedy")
    for finding in findings:
        fate = Text(finding.fate, _FATES.get(finding.fate, "dim"))
        rest = (Text(finding.reason), Text(finding.remedy))
        table.add_row(Text(finding.node), Text(finding.op), fate, *rest)
    return table


def items_table(items: Sequence[Item]) -> Table:
    """Return what is installed, and commands for what is missing."""
    table = plain_table("", "what", "for", "found")
    for item in items:
        mark = Text("ok", "green") if item.found else Text("missing", "red")
        if item.good and not item.found:
            mark = Text("optional", "yellow")
        found = item.found or item.fix
        table.add_row(mark, Text(item.name), Text(item.purpose), Text(found))
    return table


def blocks_table(build: Build) -> Table:
    """Return what each block takes, and all of them together."""
    kinds = ("LUT", "FF", "DSP", "memory")
    table = plain_table("block", *kinds, right=kinds, title="Cells, block by block")
    for name, counts in build.blocks.items():
        table.add_row(Text(name), *(f"{counts.get(kind, 0):,}" for kind in kinds))
    table.add_section()
    table.add_row("all", *(f"{build.total.get(kind, 0):,}" for kind in kinds), style="bold")
    return table


def path_table(build: Build) -> Table:
    """Return the longest path, signal by signal."""
    title = f"\nLongest path: {build.achieved_mhz:.1f} MHz"
    table = plain_table("signal", "ns", right=("ns",), title=title)
    for signal, at in build.path:
        table.add_row(Text(signal), f"{at:.2f}")
    times = f"{build.path_logic_ns:.2f} ns in cells, {build.path_routing_ns:.2f} ns between them"
    table.caption, table.caption_justify = times, "left"
    return table
