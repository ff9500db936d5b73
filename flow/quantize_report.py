"""The report of ``quantize``: JSON, a table, and a plot where matplotlib is there."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from ..quant.layer_report import LayerReport
from .tables import plain_table

__all__ = ["quantize_table", "write_report"]

_COLUMNS = ("layer", "weights", "reads", "writes", "by", "weight scale", "output scale", "SQNR")


def write_report(layers: Sequence[LayerReport], method: str, folder: str | Path) -> None:
    """Write ``quantization.json``, ``quantization.md`` and, with matplotlib, ``sqnr.png``."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    found = {"method": method, "layers": [layer.to_dict() for layer in layers]}
    (target / "quantization.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_cells(layer) for layer in layers)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    (target / "quantization.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _plot(layers, target / "sqnr.png")


def quantize_table(layers: Sequence[LayerReport]) -> Table:
    """Return a report as a table for a terminal."""
    table = plain_table(*_COLUMNS, right=_COLUMNS[1:4] + _COLUMNS[5:])
    for layer in layers:
        table.add_row(*_cells(layer))
    return table


def _cells(layer: LayerReport) -> tuple[str, ...]:
    return (
        layer.layer,
        f"{layer.weight_bits} bits",
        f"{layer.input_bits} bits",
        f"{layer.output_bits} bits",
        layer.output,
        f"{layer.weight_scale:.4g}",
        f"{layer.output_scale:.4g}",
        "exact" if layer.sqnr is None else f"{layer.sqnr:.1f} dB",
    )


def _plot(layers: Sequence[LayerReport], path: Path) -> None:
    """Draw the errors, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(8, 1 + 0.25 * len(layers)), layout="constrained")
    axes = figure.add_subplot()
    names = [layer.layer for layer in layers]
    axes.barh(names, [layer.sqnr or 0.0 for layer in layers])
    axes.invert_yaxis()
    axes.set_xlabel("signal to quantization noise of the output, dB")
    figure.savefig(path, dpi=120)
