"""Commands that say where time, bytes and energy go.

Verbs are imported when they are called, so that ``--help`` does not wait for them.
"""

from pathlib import Path

from .console import Shown
from .options import ANY_MEMORY, DEFAULT, YES, MaybeOutput, MemoryOptions

__all__ = ["report"]


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
