"""What accelerators take of chips that Vivado builds for, by Yosys: synthesis alone.

``python -m benchmarks.series7``

Nothing is placed or routed; what stands around the accelerator in a block design is not counted.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import Parameter

from shiftloom.boards.cache import cached, content_key
from shiftloom.boards.ip.vivado import VIVADO_BOARDS, load_vivado_board
from shiftloom.boards.tools import YOSYS
from shiftloom.flow.console import Shown
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.tables import plain_table
from shiftloom.hw.verilog import accelerator_rtlil, module_name
from shiftloom.isa.config import Config

from .command import run

__all__ = ["count_cells", "main", "series7"]

_COMMAND = "synth_xilinx -family xc7 -flatten -abc9 -noiopad"

#: Cells: what each counts as, and how many of it. Inverters may vanish in other lookup tables.
_CELLS = {
    **dict.fromkeys((f"LUT{n}" for n in range(1, 7)), ("LUT", 1.0)),
    **dict.fromkeys(("INV", "SRL16E", "SRLC32E", "RAM32X1S"), ("LUT", 1.0)),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D"), ("LUT", 2.0)),
    **dict.fromkeys(("RAM32M", "RAM64M"), ("LUT", 4.0)),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), ("FF", 1.0)),
    "DSP48E1": ("DSP", 1.0),
    "RAMB36E1": ("block RAM", 1.0),
    "RAMB18E1": ("block RAM", 0.5),
}


def series7(
    *,
    names: Annotated[Sequence[str], Parameter(consume_multiple=True, negative=())] = VIVADO_BOARDS,
    shown: Shown = DEFAULT,
) -> int:
    """Synthesize for boards, and show what their accelerators take.

    Parameters
    ----------
    names
        Boards.
    """
    rows: dict[str, dict[str, float]] = {}
    chips: dict[str, dict[str, int]] = {}
    with shown.progress() as progress:
        for name in names:
            board = load_vivado_board(name)
            progress(f"synthesizing {board.config.name}", len(rows), len(names))
            rows[name] = synthesize(board.config)
            available = board.luts, board.flip_flops, board.dsps, board.block_rams
            chips[name] = dict(zip(rows[name], available, strict=True))
    columns = "board", "LUT", "FF", "DSP", "block RAM"
    table = plain_table(*columns, right=columns[1:], title="After synthesis for series 7")
    for name, counts in rows.items():
        cells = (f"{n:,g} of {chips[name][kind]:,}" for kind, n in counts.items())
        table.add_row(name, *cells)
    shown.show(rows, table)
    return 0


def synthesize(config: Config) -> dict[str, float]:
    """Return how much of each kind an accelerator takes."""
    design, top = accelerator_rtlil(config), module_name(config)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def make() -> None:
            (folder / "top.il").write_text(design, encoding="utf-8")
            script = f"read_rtlil top.il; {_COMMAND} -top {top}; write_json top.json"
            YOSYS.run(["-q", "-p", script], folder)

        cached(content_key(design, _COMMAND, YOSYS.version), ("top.json",), folder, make)
        netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
    return count_cells(netlist["modules"][top]["cells"])


def count_cells(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return how much of each kind the cells of a netlist take."""
    found = dict.fromkeys(("LUT", "FF", "DSP", "block RAM"), 0.0)
    for cell in cells.values():
        kind, amount = _CELLS.get(cell["type"], ("", 0.0))
        if kind:
            found[kind] += amount
    return found


def main() -> int:
    """Run the benchmark as a command."""
    return run(series7)


if __name__ == "__main__":
    sys.exit(main())
