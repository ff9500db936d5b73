"""An exploration as files: a table, and a plot of cycles against size."""

import importlib.util
import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

from .errors import MissingExtraWarning
from .explore import Candidate, Exploration
from .files import write_files
from .luts import lut_model

__all__ = ["NOTES", "candidate_row", "columns_of", "write_exploration"]

#: What the figures of size mean.
NOTES = "a DSP multiplies two bytes and no more: one for each multiplier of array and vector unit"


def columns_of(found: Exploration) -> list[str]:
    """Return the columns of the table."""
    networks = list(found.candidates[0].cycles) if found.candidates else []
    cycles = [f"cycles, {name}" for name in networks]
    return ["best", "configuration", *cycles, "array", "DSPs", "LUTs", "memory, kbit"]


def candidate_row(candidate: Candidate) -> list[str]:
    """Return a configuration's cells."""
    shares = "/".join(f"{share:.0%}" for share in candidate.utilization.values())
    return [
        "*" if candidate.best else "",
        candidate.config.name,
        *(f"{cycles:,}" for cycles in candidate.cycles.values()),
        shares,
        f"{candidate.dsps:,}",
        f"{candidate.luts:,}",
        f"{candidate.memory_bits / 1024:,.0f}",
    ]


def write_exploration(found: Exploration, folder: str | Path) -> list[Path]:
    """Write ``explore.json``, ``explore.md``, and ``explore.png`` where matplotlib is installed.

    Warns
    -----
    MissingExtraWarning
        There is no plot, for matplotlib is not installed.
    """
    files: dict[str, bytes | str] = {
        "explore.json": json.dumps(found.to_dict(), indent=2) + "\n",
        "explore.md": _page(found),
    }
    if importlib.util.find_spec("matplotlib") is None:
        message = "no explore.png: matplotlib is not installed; pip install 'shiftloom[plots]'"
        warnings.warn(message, MissingExtraWarning, stacklevel=2)
    elif found.candidates:
        files["explore.png"] = _plot(found.candidates)
    return write_files(folder, files)


def _page(found: Exploration) -> str:
    head = columns_of(found)
    rows = [head, ["---"] * len(head), *map(candidate_row, found.candidates)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    failed = "".join(f"- {name}: {reason}\n" for name, reason in found.failed.items())
    left_out = f"\nLeft out:\n\n{failed}" if failed else ""
    notes = (
        f"\\* No other has fewer cycles, DSPs, LUTs and memory bits. {NOTES[0].upper()}{NOTES[1:]}."
    )
    return f"# Exploration\n\n{table}\n\n{notes} {lut_model().describe()}.\n{left_out}"


def _plot(candidates: Sequence[Candidate]) -> bytes:
    """Draw cycles against each cost; a line joins what nothing beats in these two."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    costs = {"DSPs": "dsps", "LUTs, estimated": "luts", "memory bits": "memory_bits"}
    several = len(candidates[0].cycles) > 1
    for axes, (label, name) in zip(figure.subplots(1, 3, sharey=True), costs.items(), strict=True):
        places = sorted((getattr(c, name), c.mean_cycles, c.best) for c in candidates)
        for best, color in ((False, "0.6"), (True, "C0")):
            own = [(x, y) for x, y, marked in places if marked is best]
            if own:
                axes.scatter(*zip(*own, strict=True), color=color)
        front: list[tuple[float, float]] = []
        for x, y, _ in places:
            if not front or y < front[-1][1]:
                front.append((x, y))
        axes.step(*zip(*front, strict=True), where="post", color="C0", alpha=0.4)
        axes.set(xscale="log", yscale="log", xlabel=label)
        axes.grid(which="both", alpha=0.2)
    figure.axes[0].set_ylabel("cycles" + ", geometric mean of networks" * several)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()
