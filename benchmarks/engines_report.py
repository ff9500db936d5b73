"""What ``benchmarks.engines`` found, as goals, tables and JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from shiftloom.flow.tables import plain_table

from .goals import Goal, goals_data, goals_table
from .images import GoldenTime, RtlTime
from .rates import Rate

__all__ = ["Measured", "data_of", "goals_of", "tables_of"]


@dataclass(kw_only=True)
class Measured:
    """What was found.

    Parameters
    ----------
    config : str
        The accelerator.
    text_seconds, build_seconds, load_seconds : float
        To generate its Verilog, to build the RTL engine, and to get it from the cache.
    rates : list of Rate
        Of one program, the RTL engine's first; one for each engine and share of pauses.
    images : list of RtlTime
        Whole networks on the RTL engine.
    golden : list of GoldenTime
        Golden beside onnxruntime.
    skipped : dict
        What was not measured, and why.
    """

    config: str
    text_seconds: float = 0.0
    build_seconds: float = 0.0
    load_seconds: float = 0.0
    rates: list[Rate] = field(default_factory=list)
    images: list[RtlTime] = field(default_factory=list)
    golden: list[GoldenTime] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def times_faster(self, rate: Rate) -> float:
        """Return how many times faster the RTL engine is, with the same pauses."""
        (own,) = (r for r in self.rates if r.pauses == rate.pauses and r.engine == RTL)
        return own.cycles_per_second / rate.cycles_per_second

    def over(self, engine: str) -> float | None:
        """Return how many times faster the RTL engine is than another, without pauses."""
        rates = [rate for rate in self.rates if rate.engine == engine and not rate.pauses]
        return self.times_faster(rates[0]) if rates else None


#: The RTL engine's name among rates.
RTL = "RTL engine"


def goals_of(found: Measured) -> list[Goal]:
    """Return the goals, with what was measured."""
    seconds = {image.network: image.seconds for image in found.images}
    golden = {entry.network: entry.ratio for entry in found.golden}

    def faster(engine: str) -> Goal:
        what, ratio = f"cycles per second, RTL engine by {engine}", found.over(engine)
        return Goal(what=what, limit=20.0, least=True, unit="x", measured=ratio)

    def slower(what: str, name: str) -> Goal:
        text = f"golden by onnxruntime int8, time for an image, {what}"
        return Goal(what=text, limit=6.0, least=False, unit="x", measured=golden.get(name))

    image = Goal(
        what="ResNet-8 on the RTL engine once it is built",
        limit=2.0,
        least=False,
        unit="s",
        measured=seconds.get("resnet8"),
    )
    cocotb = [faster("cocotb on verilator"), faster("cocotb on verilator, tuned")]
    return [*cocotb, image, slower("ResNet-8", "resnet8"), slower("ResNet-20", "resnet20")]


def data_of(found: Measured, goals: Sequence[Goal]) -> dict[str, Any]:
    """Return everything for JSON."""
    rates = [
        asdict(rate)
        | {"cycles_per_second": rate.cycles_per_second, "times_faster": found.times_faster(rate)}
        for rate in found.rates
    ]
    golden = [asdict(entry) | {"ratio": entry.ratio} for entry in found.golden]
    return asdict(found) | {"rates": rates, "golden": golden, "goals": goals_data(goals)}


def tables_of(found: Measured, goals: Sequence[Goal]) -> Iterator[RenderableType]:
    """Return everything as tables."""
    yield _rates(found)
    yield _images(found)
    if found.golden:
        yield _golden(found)
    for name, reason in found.skipped.items():
        yield f"not measured: {name}: {reason}"
    if goals:
        yield goals_table(goals)


def _rates(found: Measured) -> Table:
    right = ("bus pauses", "cycles", "CPU seconds", "cycles per CPU second", "RTL engine by it")
    title = f"One program on the Verilog of {found.config}; all bytes in memory equal golden"
    table = plain_table("engine", *right, right=right, title=title)
    for rate in found.rates:
        table.add_row(
            rate.engine,
            f"{rate.pauses:.0%}",
            f"{rate.cycles:,}",
            f"{rate.seconds:.3f}",
            f"{rate.cycles_per_second:,.0f}",
            f"{found.times_faster(rate):.1f} x",
        )
    return table


def _images(found: Measured) -> Table:
    right = ("seconds", "cycles", "cycles per second")
    table = plain_table("step", *right, right=right, title=f"\nThe RTL engine of {found.config}")
    table.add_row("generate Verilog", f"{found.text_seconds:.1f}", "", "")
    table.add_row("build, once for a configuration", f"{found.build_seconds:.1f}", "", "")
    table.add_row("load what is built", f"{found.load_seconds:.2f}", "", "")
    for image in found.images:
        rate = f"{image.cycles / image.seconds:,.0f}"
        name = f"one image of {image.network}, equal to golden"
        table.add_row(name, f"{image.seconds:.3f}", f"{image.cycles:,}", rate)
    return table


def _golden(found: Measured) -> Table:
    times = ("golden ms", "golden images/s", "onnxruntime ms", "onnxruntime images/s", "ratio")
    right = (*times, "equal: exact", "equal: timed")
    title = "\nGolden and onnxruntime's int8 kernels, one thread each, CPU time of an image"
    table = plain_table("network", *right, right=right, title=title)
    for entry in found.golden:
        table.add_row(
            entry.network,
            f"{entry.golden_seconds * 1e3:.3f}",
            f"{1 / entry.golden_seconds:,.0f}",
            f"{entry.onnx_seconds * 1e3:.3f}",
            f"{1 / entry.onnx_seconds:,.0f}",
            f"{entry.ratio:.2f} x",
            f"{entry.exact} of {entry.images}",
            f"{entry.fused} of {entry.images}",
        )
    table.caption_justify = "left"
    table.caption = (
        "equal: images whose outputs equal golden's; exact: onnxruntime without graph\n"
        "optimization; timed: its int8 kernels, which round in float32"
    )
    return table
