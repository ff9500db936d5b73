"""The verb ``generate``: an accelerator's Verilog, and what is needed to use it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..isa.config import Config, load_config
from ..isa.header import c_header
from ..isa.program import Program
from ..isa.registers import REGISTERS
from .errors import FlowError
from .files import write_files
from .progress import Progress, silent

__all__ = ["generate"]

_README = """\
# {top}

An accelerator for quantized neural networks with {rows} x {columns} multipliers: {macs}
multiply-accumulates per cycle, {bits} bits of on-chip memory.
Identity of the configuration: `{id:#010x}`.

| file | contents |
|---|---|
{files}

## Ports

| ports | meaning |
|---|---|
| `aclk`, `aresetn` | clock; reset, active low, synchronous |
{buses}
| `interrupt` | high when a run is over and interrupts are enabled |

All pins of a bus carry the names that block-design tools infer (`s_axi_awaddr`, `m_axi_rdata`).

## Registers

| offset | register | access | meaning |
|---|---|---|---|
{registers}

## Start a run

1. Put instructions and the four regions of a program file anywhere in memory that the machine's
   bus reaches, each aligned to {align} bytes.
2. Write their addresses to `PROGRAM` and `BASE0` ... `BASE3`, the number of instructions to
   `PROGRAM_LENGTH`, and 1 to `CONTROL`.
3. Wait for `DONE` in `STATUS`, or for the interrupt. If `ERROR` is set there, register `ERROR`
   says why and `ERROR_INDEX` which instruction it was; bit 1 of `CONTROL` resets the machine.
"""

_HEADER = "shiftloom_isa.h"


#: What the files are, for people.
_MEANINGS = {
    _HEADER: "C header of registers and instructions",
    "model.program": "a compiled network",
    "samples.npz": "codes of its inputs, and of the outputs that the golden network makes of them",
}

#: Samples, as the verb ``simulate`` takes them.
_Inputs = NDArray[Any] | Mapping[str, NDArray[Any]] | str | Path


def generate(
    config: Config | str | Path | None = None,
    output: str | Path | None = None,
    *,
    ip: bool = False,
    board: str | None = None,
    program: Program | str | Path | None = None,
    inputs: _Inputs | None = None,
    progress: Progress | None = None,
) -> dict[str, str | bytes]:
    """Return the files of an accelerator by name, and write them if a folder is given.

    Parameters
    ----------
    config : Config, str or pathlib.Path, optional
        The accelerator: a configuration, the name of one, or a TOML file. If not given, that of
        the program or the board, else ``base``.
    output : str or pathlib.Path, optional
        Folder to write to.
    ip : bool
        With what others need to put it into their systems: ``component.xml`` for Vivado, drivers
        and modules for PYNQ and LiteX.
    board : str, optional
        With all that, and with the script that builds a bitstream for a board in Vivado.
    program : Program, str or pathlib.Path, optional
        With a network, compiled for this accelerator, and samples whose results are known.
    inputs : array, mapping, str or pathlib.Path, optional
        The samples; needed with ``program``.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ConfigError
        The configuration cannot be built, or is not the program's.
    BoardError
        No such board, or none that Vivado builds for.
    FlowError
        A program without samples, or samples without a program.
    ModelError, ProgramError
        The program or the samples cannot be used.
    OSError
        The folder cannot be written.
    """
    from ..boards.ip.package import ip_files
    from ..boards.ip.vivado import load_vivado_board, vivado_files
    from ..hw.verilog import accelerator_verilog, module_name

    target = None if board is None else load_vivado_board(board)
    deployed, used = _deployed(program, config, inputs)
    chosen = load_config(config or used or (target.name if target else "base"))
    top = module_name(chosen)
    (progress or silent)(f"generating Verilog of {chosen.name}", 0, 0)
    verilog = accelerator_verilog(chosen)
    files: dict[str, str | bytes] = {
        f"{top}.v": verilog,
        f"{chosen.name}.toml": chosen.to_toml(),
        _HEADER: c_header(),
    }
    if ip or target:
        files |= ip_files(chosen, verilog, top)
    if target:
        files |= vivado_files(target, chosen, top)
    files |= deployed
    files["README.md"] = _readme(chosen, top, list(files))
    if output is not None:
        write_files(output, files)
    return files


def _deployed(
    program: Program | str | Path | None,
    config: Config | str | Path | None,
    inputs: _Inputs | None,
) -> tuple[dict[str, bytes], Config | None]:
    """Return the files of a program and its samples, and the configuration that it is for."""
    if (program is None) != (inputs is None):
        raise FlowError("a program comes with samples, and samples with a program: give both")
    if program is None or inputs is None:
        return {}, None
    from .deploy import deployed
    from .networks import open_program
    from .simulate import encode_inputs

    opened, graph = open_program(program, config)
    return deployed(opened, encode_inputs(graph, inputs)), opened.config


def _meaning(name: str, top: str) -> str:
    """Return what a file is, for people."""
    from ..boards.ip.package import MEANINGS

    known = {
        **_MEANINGS,
        **MEANINGS,
        f"{top}.v": f"the accelerator; the top module is `{top}`",
    }
    endings = {
        ".toml": f"its configuration, for `shiftloom compile --config {name}`",
        ".tcl": f"`vivado -mode batch -source {name}` builds a bitstream",
        ".xdc": "pins of the board",
    }
    return known.get(name) or endings[Path(name).suffix]


def _readme(config: Config, top: str, names: list[str]) -> str:
    registers = "\n".join(
        f"| `{r.offset:#04x}` | `{r.name}` | {r.access} | {r.meaning} |" for r in REGISTERS
    )
    buses = (
        "| `s_axi_*` | AXI4-Lite slave, 32 bits: the registers below |\n"
        f"| `m_axi_*` | AXI4 master, {8 * config.bus_bytes} bits: instructions and data |"
    )
    return _README.format(
        top=top,
        files="\n".join(f"| `{name}` | {_meaning(name, top)} |" for name in names),
        rows=config.rows,
        columns=config.columns,
        macs=config.macs_per_cycle,
        bits=f"{config.memory_bits:,}",
        id=config.id,
        buses=buses,
        registers=registers,
        align=config.align_bytes,
    )
