"""Commands that answer questions about files and about this machine.

Verbs are imported when they are called, so that ``--help`` does not wait for them.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from .console import Shown, print_error
from .options import ANY_MEMORY, DEFAULT, NO, YES, Count, Input, MaybeOutput, MemoryOptions

__all__ = ["check", "doctor", "info", "simulate", "verify"]


def simulate(
    program: Path,
    /,
    *,
    input: Annotated[Path, Input],
    engine: Literal["golden", "cycle", "rtl"] = "golden",
    output: MaybeOutput = None,
    samples: Count = None,
    memory: MemoryOptions = ANY_MEMORY,
    trace: Path | None = None,
    shown: Shown = DEFAULT,
) -> int:
    """Run a program on samples: by definition, with exact cycles, or on the generated Verilog.

    Example: `shiftloom simulate model.program --input images.npy --engine cycle -o outputs.npz`

    Parameters
    ----------
    program
        File that shiftloom compile wrote.
    input
        Samples in the model's own input layout, batch first: .npy, or .npz with one array for
        each input.
    engine
        golden knows values; cycle knows cycles too, from a model that equals the Verilog; rtl
        runs the Verilog itself, compiled.
    output
        File for the outputs: .npz with one array for each output.
    samples
        How many samples to run; all if not given.
    trace
        File for a timeline of every instruction, for ui.perfetto.dev: JSON; a cycle is shown as a
        microsecond. With cycle it names what each instruction waited for.
    """
    from .simulate import simulate as verb
    from .tables import facts_table

    with shown.progress() as progress:
        result = verb(
            *(program, input, engine, output),
            samples=samples,
            memory=memory.chosen(),
            trace=trace,
            progress=progress,
        )
    facts: dict[str, object] = {"engine": engine, "samples": result.samples}
    facts |= {f"output {name}": str(array.shape) for name, array in result.outputs.items()}
    if result.cycles is not None:
        facts |= {"cycles": result.cycles, "cycles per sample": result.cycles // result.samples}
    data = {**facts, "counters": result.counters, "file": str(output) if output else None}
    data["trace"] = str(trace) if trace else None
    shown.show(data, facts_table(facts | result.counters))
    return YES


def verify(
    source: Path,
    /,
    *,
    config: str | None = None,
    inputs: Annotated[Path | None, Input] = None,
    samples: Count = None,
    report: Path | None = None,
    level: Literal["rtl", "netlist"] = "rtl",
    family: Literal["ecp5", "ice40"] = "ecp5",
    shown: Shown = DEFAULT,
) -> int:
    """Compare network, program and Verilog, integer for integer, in every layer; and their cycles.

    The exit status is 0 only if all are equal, 1 if not. The first difference is named by layer,
    tile and element; if all integers are equal, by the first instruction that starts or completes
    in another cycle than in the cycle model.

    Example: `shiftloom verify model.q.onnx --config base --inputs images.npy --report report`

    Parameters
    ----------
    source
        Quantized network or program.
    config
        The accelerator: base, small, tiny, odd, or a TOML file; a program knows its own.
    inputs
        Samples, as for simulate; random codes if not given.
    samples
        How many samples to compare; all that are given, or two random ones.
    report
        Folder for a report: report.md, report.json and layers.csv.
    level
        rtl compares with the generated Verilog, netlist with the gates after synthesis.
    family
        For the netlist: chips that synthesis is for.
    """
    from .tables import layers_table
    from .verify import verify as verb

    with shown.progress() as progress:
        result = verb(
            source,
            config,
            inputs,
            samples=samples,
            report=report,
            level=level,
            family=family,
            progress=progress,
        )
    if not result.equal:
        shown.show(result.to_dict())
        print_error(result.verdict())
        return NO
    title = f"{result.program} on {result.config}: cycles of one sample"
    tables = (layers_table(result.times, title),) if result.times else ()
    shown.show(result.to_dict(), *tables, result.verdict())
    return YES


def check(model: Path, /, *, config: str | None = None, shown: Shown = DEFAULT) -> int:
    """Tell what becomes of each node of a model, before anything runs.

    The exit status is 1 if a node is refused.

    Example: `shiftloom check model.onnx --config base`

    Parameters
    ----------
    model
        ONNX file: float, QDQ with scales that are powers of two, or QONNX.
    config
        An accelerator, by name or TOML file: layers that cannot fit it are refused too.
    """
    from .check import check as verb
    from .tables import findings_table

    findings = verb(model, config)
    refused = sum(finding.fate == "refused" for finding in findings)
    data = {"refused": refused, "findings": [asdict(finding) for finding in findings]}
    verdict = f"{refused} of {len(findings)} nodes are refused" if refused else "nothing is refused"
    shown.show(data, findings_table(findings), verdict)
    return NO if refused else YES


def info(file: str, /, *, shown: Shown = DEFAULT) -> int:
    """Tell what a file holds.

    Example: `shiftloom info model.program`

    Parameters
    ----------
    file
        Model, quantized network, program, TOML file, or a configuration's name.
    """
    from .info import info as verb
    from .tables import facts_table

    facts = verb(file)
    shown.show(facts, facts_table(facts))
    return YES


def doctor(*, shown: Shown = DEFAULT) -> int:
    """Tell what is installed, what is missing, and the command that mends it.

    The exit status is 1 if something is missing that a command needs.

    Example: `shiftloom doctor`
    """
    from .doctor import doctor as verb
    from .tables import items_table

    items = verb()
    shown.show([{**asdict(item), "good": item.good} for item in items], items_table(items))
    return YES if all(item.good for item in items) else NO
