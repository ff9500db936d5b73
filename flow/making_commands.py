"""Commands that make files: networks, programs, hardware, and all of it at once.

Verbs are imported when they are called, so that ``--help`` does not wait for them.
"""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from .console import Shown, print_error
from .options import DEFAULT, NO, YES, Flag, Input, Output

__all__ = ["compile", "demo", "export", "generate"]


def generate(
    *,
    output: Output,
    config: str | None = None,
    ip: Flag = False,
    board: str | None = None,
    program: Path | None = None,
    input: Annotated[Path | None, Input] = None,
    shown: Shown = DEFAULT,
) -> int:
    """Write an accelerator's Verilog, its configuration and a C header.

    With `--ip` also what Vivado, PYNQ and LiteX need; with `--board` a script that builds a board's
    bitstream in Vivado as well.

    Example: `shiftloom generate --config base -o accelerator`

    Example: `shiftloom generate --board pynq_z2 -o overlay`

    Parameters
    ----------
    output
        Folder to write to.
    config
        The accelerator: base, small, tiny, odd, or a TOML file. If not given, that of the program
        or the board, else base.
    ip
        Write component.xml, the register map, drivers for PYNQ and LiteX.
    board
        The board: pynq_z2, arty_a7_35t.
    program
        A program to put beside it, compiled for this accelerator.
    input
        Samples for the program, of which codes and right results are written.
    """
    from .generate import generate as verb

    with shown.progress() as progress:
        files = verb(
            config,
            output,
            ip=ip,
            board=board,
            program=program,
            inputs=input,
            progress=progress,
        )
    paths = [str(output / name) for name in files]
    shown.show({"files": paths}, *paths)
    return YES


def export(
    network: Path,
    /,
    *,
    output: Output,
    format: Literal["qonnx", "qdq"] = "qonnx",
    shown: Shown = DEFAULT,
) -> int:
    """Write a quantized network in a format of other tools.

    Example: `shiftloom export model.q.onnx --format qonnx -o model.qonnx.onnx`

    Parameters
    ----------
    network
        File that shiftloom quantize wrote.
    output
        File to write.
    format
        qonnx: Quant and MultiThreshold, for the QONNX tools; qdq: operators of the standard alone.
    """
    from .export import export as verb
    from .tables import facts_table

    model = verb(network, output, format=format)
    facts = {"file": str(output), "format": format, "nodes": len(model.graph.node)}
    shown.show(facts, facts_table(facts))
    return YES


def compile(
    network: Path,
    /,
    *,
    output: Output,
    config: str = "base",
    dump: Path | None = None,
    search: Flag = False,
    shown: Shown = DEFAULT,
) -> int:
    """Compile a quantized network for an accelerator.

    Example: `shiftloom compile model.q.onnx --config base -o model.program`

    Parameters
    ----------
    network
        File that shiftloom quantize wrote.
    output
        Program file to write.
    config
        The accelerator: base, small, tiny, odd, or a TOML file.
    dump
        Folder for a readable listing of each stage.
    search
        Compile several times, and keep the program that is fastest by the cycle model.
    """
    from .compile import compile as verb
    from .info import info
    from .tables import facts_table

    with shown.progress() as progress:
        verb(network, config, output, dump=dump, search=search, progress=progress)
    facts = {"file": str(output), **info(output)}
    shown.show(facts, facts_table(facts))
    return YES


def demo(
    *,
    output: Output = Path("shiftloom-demo"),
    config: str = "tiny",
    samples: Annotated[int, Parameter(validator=Number(gte=1, lte=360))] = 8,
    shown: Shown = DEFAULT,
) -> int:
    """Take a trained network from floats to verified hardware, and draw what it sees.

    Example: `shiftloom demo -o demo`

    Parameters
    ----------
    output
        Folder for everything: quantized network, program, Verilog and a report.
    config
        The accelerator: base, small, tiny, odd, or a TOML file.
    samples
        How many digits to verify on the generated Verilog.
    """
    from .demonstration import demo as verb

    with shown.progress() as progress:
        result = verb(output, config, samples=samples, progress=progress)
    shown.show(result.to_dict(), *result.tables())
    if not result.verification.equal:
        print_error(result.verification.verdict())
    return YES if result.verification.equal else NO
