"""The verb ``generate``: an accelerator's Verilog, and what is needed to use it."""

from pathlib import Path

from ..isa.config import Config, load_config
from ..isa.header import c_header
from ..isa.registers import REGISTERS
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
| `{top}.v` | the accelerator; the top module is `{top}` |
| `{name}.toml` | its configuration, for `shiftloom compile --config {name}.toml` |
| `{header}` | C header of registers and instructions |

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


def generate(
    config: Config | str | Path = "base",
    output: str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Return the files of an accelerator by name, and write them if a folder is given.

    Parameters
    ----------
    config : Config, str or pathlib.Path
        The accelerator: a configuration, the name of one, or a TOML file.
    output : str or pathlib.Path, optional
        Folder to write to.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ConfigError
        The configuration cannot be built.
    OSError
        The folder cannot be written.
    """
    from ..hw.verilog import accelerator_verilog, module_name

    chosen = load_config(config)
    (progress or silent)(f"generating Verilog of {chosen.name}", 0, 0)
    files = {
        f"{module_name(chosen)}.v": accelerator_verilog(chosen),
        f"{chosen.name}.toml": chosen.to_toml(),
        _HEADER: c_header(),
        "README.md": _readme(chosen, module_name(chosen)),
    }
    if output is not None:
        write_files(output, files)
    return files


def _readme(config: Config, top: str) -> str:
    registers = "\n".join(
        f"| `{r.offset:#04x}` | `{r.name}` | {r.access} | {r.meaning} |" for r in REGISTERS
    )
    buses = (
        "| `s_axi_*` | AXI4-Lite slave, 32 bits: the registers below |\n"
        f"| `m_axi_*` | AXI4 master, {8 * config.bus_bytes} bits: instructions and data |"
    )
    return _README.format(
        top=top,
        name=config.name,
        rows=config.rows,
        columns=config.columns,
        macs=config.macs_per_cycle,
        bits=f"{config.memory_bits:,}",
        id=config.id,
        header=_HEADER,
        buses=buses,
        registers=registers,
        align=config.align_bytes,
    )
