"""Report of a verification: a folder with the same figures as text, JSON and CSV."""

import csv
import importlib.util
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .files import write_files
from .layers import short_name

__all__ = ["write_report"]

_COLUMNS = ("name", "operator", "engine", "macs", "cycles", "utilization")

_PAGE = """\
# {program} on {config}

{verdict}

{totals}

## Layers

A cycle belongs to the layer that the array works on; while it does not, to the layer that the
vector unit works on; while neither works, to the layer that is next. Array utilization is
multiply-accumulates / (rows x columns x cycles).

{layers}

## Counters of the machine

{counters}
"""


def write_report(found: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Write a report.

    Parameters
    ----------
    found : mapping
        What :meth:`~shiftloom.flow.verify.Verification.to_dict` returns.
    folder : str or pathlib.Path
        Gets ``report.md``, ``report.json``, ``layers.csv``, and ``layers.png`` where matplotlib
        is installed.
    """
    layers = found["times"]["layers"] if found["times"] else []
    files: dict[str, bytes | str] = {
        "report.md": _page(found, layers),
        "report.json": json.dumps(found, indent=2) + "\n",
        "layers.csv": _csv(layers),
    }
    if layers and importlib.util.find_spec("matplotlib") is not None:
        files["layers.png"] = _plot(f"{found['program']} on {found['config']}", layers)
    return write_files(folder, files)


def _page(found: Mapping[str, Any], layers: list[dict[str, Any]]) -> str:
    rows = [_row(layer) for layer in layers]
    head = ("layer", "operator", "engine", "MACs", "cycles", "array utilization")
    counters = [(name, f"{value:,}") for name, value in found["counters"].items()]
    return _PAGE.format(
        program=found["program"],
        config=found["config"],
        verdict=found["verdict"],
        totals=_totals(found),
        layers=_table(head, rows),
        counters=_table(("counter", "one sample"), counters),
    )


def _row(layer: Mapping[str, Any]) -> tuple[str, ...]:
    words = (short_name(layer["name"]), layer["operator"], layer["engine"])
    return (*words, f"{layer['macs']:,}", f"{layer['cycles']:,}", _percent(layer))


def _totals(found: Mapping[str, Any]) -> str:
    times = found["times"]
    if not times:
        return ""
    return (
        f"One sample takes {times['cycles']:,} cycles, everything included. Array utilization "
        f"{times['array_utilization']:.1%}; of all multipliers, the vector unit's included, "
        f"{times['multiplier_utilization']:.1%}. After the last layer, {times['rest']:,} cycles "
        "pass until the results are in memory."
    )


def _percent(layer: Mapping[str, Any]) -> str:
    return "" if layer["utilization"] is None else f"{layer['utilization']:.1%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---" for _ in head], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _csv(layers: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(layers)
    return text.getvalue()


def _plot(title: str, layers: list[dict[str, Any]]) -> bytes:
    """Draw cycles per layer, with the array's utilization beside each bar."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.3 * len(layers)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(layers)), [layer["cycles"] for layer in layers])
    axes.bar_label(bars, [_percent(layer) for layer in layers], padding=3)
    axes.set_yticks(range(len(layers)), [short_name(layer["name"]) for layer in layers])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(title=title, xlabel="cycles; array utilization")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()
