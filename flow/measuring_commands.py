"""Commands that say where time, bytes and energy go.

Verbs are imported when they are called, so that ``--help`` does not wait for them.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .console import Shown
from .options import ANY_MEMORY, DEFAULT, NO, YES, Count, MaybeOutput, MemoryOptions

__all__ = ["explore", "report"]

Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())]


def report(
    source: Path,
    /,
    *,
    config: str | None = None,
    output: MaybeOutput = None,
    memory: MemoryOptions = ANY_MEMORY,
    shown: Shown = DEFAULT,
) -> int:
    """Tell where cycles, bytes and energy go, layer by layer, and draw a timeline.

    Cycles come from the cycle model, which equals the Verilog; nothing is simulated. Energy is an
    estimate. Every layer gets its lower bounds and what bounds it: compute, bandwidth, latency or
    dependency.

    Example: `shiftloom report model.q.onnx --config base -o report`

    Parameters
    ----------
    source
        Quantized network or program.
    config
        The accelerator: base, small, tiny, odd, or a TOML file; a program knows its own.
    output
        Folder for report.json, report.md, layers.csv, roofline.png, and timeline.html: a page for
        any browser that shows when every instruction ran and what it waited for.
    """
    from .report import report as verb
    from .report_columns import facts_of
    from .tables import facts_table, usage_table

    with shown.progress() as progress:
        found = verb(source, config, output, memory=memory.chosen(), progress=progress)
    title = f"{found.program.name} on {found.program.config.name}"
    files = (f"\n{output / 'report.md'}", f"{output / 'timeline.html'}") if output else ()
    shown.show(found.to_dict(), usage_table(found, title), "", facts_table(facts_of(found)), *files)
    return YES


def explore(
    *models: Path,
    configs: Words = (),
    sweep: Words = (),
    config: str = "base",
    output: MaybeOutput = None,
    jobs: Count = None,
    dask: str | None = None,
    memory: MemoryOptions = ANY_MEMORY,
    shown: Shown = DEFAULT,
) -> int:
    """Compare configurations: cycles of networks against DSPs, LUTs and memory.

    Every network is compiled for every configuration, and timed by the cycle model, on all cores.
    Those are marked that no other beats in everything. With --output, a run that was stopped goes
    on where it was, and nothing is computed twice. The exit status is 1 if no configuration runs
    all networks.

    Example: `shiftloom explore model.q.onnx --sweep rows=8,16 columns=16 vector_taps=1,3 -o found`

    Parameters
    ----------
    models
        Quantized networks; they stand before --configs and --sweep.
    configs
        Accelerators by name or TOML file.
    sweep
        Fields of the configuration and their values; all combinations are tried.
    config
        The accelerator that a sweep changes.
    output
        Folder for explore.md, explore.json, explore.png, and points.jsonl, which keeps all points.
    jobs
        Processes; one for each core if not given.
    dask
        Address of a Dask scheduler, whose workers compute instead.
    """
    from .cluster import dask_executor
    from .explore import explore as verb
    from .explore_files import NOTES, write_exploration
    from .luts import lut_model
    from .sweep import parse_sweep
    from .tables import candidates_table

    with (
        shown.progress() as progress,
        dask_executor(dask) if dask else nullcontext() as executor,
    ):
        found = verb(
            *(models, configs, output),
            base=config,
            sweep=parse_sweep(sweep),
            memory=memory.chosen(),
            jobs=jobs,
            executor=executor,
            progress=progress,
        )
    if output is not None:
        write_exploration(found, output)
    failed = [f"left out: {name}: {reason}" for name, reason in found.failed.items()]
    notes = ("", f"* {NOTES}", lut_model().describe())
    shown.show(found.to_dict(), candidates_table(found), *notes, *failed)
    return YES if found.candidates else NO
