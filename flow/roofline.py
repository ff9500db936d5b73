"""The roofline plot of a report: what each layer reaches, and what bounds it."""

import io
from collections.abc import Iterator

from ..sim.cycle.causes import Cause
from .report import Report, Usage, multipliers

__all__ = ["points", "roofline"]

_COLORS = {"compute": "C0", "bandwidth": "C3", "latency": "C1", "dependency": "C2"}


def points(found: Report) -> Iterator[tuple[Usage, float, float]]:
    """Yield layers that multiply and move bytes: MACs per byte, and MACs per cycle."""
    for usage in (*found.layers, found.total):
        if usage.macs and usage.cycles and usage.external_bytes:
            yield usage, usage.macs / usage.external_bytes, usage.macs / usage.cycles


def roofline(found: Report) -> bytes:
    """Return the plot as PNG (S. Williams et al., Roofline, CACM 52(4), 2009).

    Layers whose maps stay on the chip move few bytes, and lie far to the right.
    """
    from matplotlib.figure import Figure

    config = found.program.config
    peak, width = multipliers(config), config.bus_bytes / found.memory.interval
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    shown = list(points(found))
    ends = [x for _, x, _ in shown] + [config.macs_per_cycle / width]
    low, high = min(ends) / 2, max(ends) * 2
    knees = [
        low,
        *(top / width for top in (config.macs_per_cycle, peak) if top / width > low),
        high,
    ]
    axes.plot(knees, [min(peak, x * width) for x in knees], color="0.3", label="all multipliers")
    axes.axhline(config.macs_per_cycle, color="0.3", linestyle=":", label="array")
    for cause in Cause:
        name = cause.name.lower()
        own = [(x, y) for usage, x, y in shown if usage.bound == name and usage is not found.total]
        if own:
            axes.scatter(*zip(*own, strict=True), color=_COLORS[name], label=f"bound: {name}")
    total = [(x, y) for usage, x, y in shown if usage is found.total]
    if total:
        axes.scatter(*total[0], marker="*", s=160, color="black", label="all layers")
    axes.set(xscale="log", yscale="log", xlim=(low, high))
    axes.set(xlabel="multiply-accumulates per byte of external memory")
    axes.set(ylabel="multiply-accumulates per cycle")
    axes.set(title=f"{found.program.name} on {config.name}")
    axes.grid(which="both", alpha=0.2)
    axes.legend()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()
