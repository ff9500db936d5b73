"""A report as files: figures as JSON, CSV and text, a plot, and a timeline."""

import csv
import importlib.util
import io
import json
import warnings
from pathlib import Path

from .energy import energy_table
from .errors import MissingExtraWarning
from .files import write_files
from .progress import Progress, silent
from .report import Report, Usage
from .report_columns import COLUMNS, facts_of, plain_row
from .timeline_page import timeline_page

__all__ = ["write_report"]

_PAGE = """\
# {title}

{facts}

## Layers

{layers}

A cycle belongs to the layer that the array works on; while it does not, to the layer that the
vector unit works on; while neither works, to the layer that is next. *bound* is where most of a
layer's cycles went: *compute* (array or vector unit works), *bandwidth* (both wait for a transfer,
or the array for weights, and the bus moves data), *latency* (it moves nothing), *dependency* (both
wait for a pipeline or for instructions before theirs). The lower bounds are the cycles that the
layer's operands and its beats on the bus take if nothing else did. docs/cycle-model.md states the
rules.

Energy is an estimate from counts of accesses, for comparing layers and schedules: {source}.

## Bytes by memory

{bytes}

Open `timeline.html` to see when every instruction ran and what it waited for.
"""


def write_report(found: Report, folder: str | Path, progress: Progress = silent) -> list[Path]:
    """Write a report.

    Parameters
    ----------
    found : Report
        The figures.
    folder : str or pathlib.Path
        Gets ``report.json``, ``report.md``, ``layers.csv``, ``timeline.html``, and
        ``roofline.png`` where matplotlib is installed.
    progress : callable
        Told what is being done.

    Warns
    -----
    MissingExtraWarning
        There is no plot, for matplotlib is not installed.
    """
    progress("writing the report", 0, 0)
    files: dict[str, bytes | str] = {
        "report.json": json.dumps(found.to_dict(), indent=2) + "\n",
        "report.md": _page(found),
        "layers.csv": _csv(found),
        "timeline.html": timeline_page(found),
    }
    if importlib.util.find_spec("matplotlib") is None:
        message = "no roofline.png: matplotlib is not installed; pip install 'shiftloom[plots]'"
        warnings.warn(message, MissingExtraWarning, stacklevel=2)
    else:
        from .roofline import roofline

        files["roofline.png"] = roofline(found)
    return write_files(folder, files)


def _page(found: Report) -> str:
    rows = [plain_row(usage) for usage in (*found.layers, found.rest, found.total)]
    facts = facts_of(found)
    return _PAGE.format(
        title=f"{found.program.name} on {found.program.config.name}",
        facts="\n".join(f"- {name}: {value}" for name, value in facts.items()),
        layers=_table([column.title for column in COLUMNS], rows),
        source=energy_table().source,
        bytes=_bytes(found),
    )


def _bytes(found: Report) -> str:
    names = list(found.total.bytes)
    head = ["layer", *(name.replace("_", " ") for name in names)]
    usages = (*found.layers, found.rest, found.total)
    rows = [[_cell(usage.name), *(f"{usage.bytes[name]:,}" for name in names)] for usage in usages]
    return _table(head, rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---" for _ in head], *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return text that ends no cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def _csv(found: Report) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [_flat(usage) for usage in (*found.layers, found.rest, found.total)]
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def _flat(usage: Usage) -> dict[str, object]:
    """Return all figures of a layer by name."""
    return {
        "name": usage.name,
        "operator": usage.operator,
        "engine": usage.engine,
        "macs": usage.macs,
        "cycles": usage.cycles,
        "array_utilization": usage.array_utilization,
        "multiplier_utilization": usage.multiplier_utilization,
        "bound": usage.bound,
        **{f"{name}_cycles": count for name, count in usage.causes.items()},
        "least_compute": usage.least_compute,
        "least_bytes": usage.least_bytes,
        **{f"{name}_bytes": count for name, count in usage.bytes.items()},
        **{f"{name}_uj": value for name, value in usage.energy_uj.items()},
    }
