"""Commands for boards: build a bitstream, run a program on one.

Verbs are imported when they are called, so that ``--help`` does not wait for them.
"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from .console import Shown, print_error
from .options import DEFAULT, NO, YES, Count, Input, MaybeOutput, Output

__all__ = ["build", "run"]


def build(
    *,
    board: str,
    output: Output,
    config: str | None = None,
    clock: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    memory: Count = None,
    seed: int | None = None,
    shown: Shown = DEFAULT,
) -> int:
    """Synthesize, place and route an accelerator for a board: from nothing to its bitstream.

    The exit status is 1 if the bitstream's clock is faster than what place-and-route reached.

    Example: `shiftloom build --board ulx3s -o bitstream`

    Parameters
    ----------
    board
        The board: ulx3s, icebreaker or tangnano20k.
    output
        Folder for the bitstream, the netlist and all reports.
    config
        The accelerator, if not the board's own: a name or a TOML file.
    clock
        The machine's clock in megahertz, if not the board's own.
    memory
        Bytes of its external memory, if not the board's own.
    seed
        Of the placement, if not the board's own: another one may reach another clock.
    """
    from .build import build as verb
    from .tables import blocks_table, facts_table, path_table

    with shown.progress() as progress:
        found = verb(
            board,
            output,
            config,
            clock_mhz=clock,
            memory_bytes=memory,
            seed=seed,
            progress=progress,
        )
    facts = {
        "board": found.board,
        "configuration": found.config,
        "clock": f"{found.clock_mhz:g} MHz; reached {found.achieved_mhz:.1f} MHz",
        "array": f"{found.macs_per_cycle} multiply-accumulates a cycle",
        "peak": f"{found.peak_gops:.1f} GOPS",
        "memory": f"{found.memory_bits:,} bits of block memory",
        "bitstream": str(found.bitstream),
        "load it with": found.loader,
    }
    if found.untimed:
        facts["not timed"] = f"paths through {found.untimed}, whose delays the tools do not know"
    facts |= {name: f"{seconds:.0f} s" for name, seconds in found.seconds.items()}
    shown.show(found.to_dict(), blocks_table(found), path_table(found), facts_table(facts))
    if not found.fast_enough:
        print_error(
            f"{found.clock_mhz:g} MHz is too fast: the longest path allows "
            f"{found.achieved_mhz:.1f} MHz; try --clock, or another --seed"
        )
    return YES if found.fast_enough else NO


def run(
    program: Path,
    /,
    *,
    port: str,
    input: Annotated[Path, Input],
    output: MaybeOutput = None,
    baud: int = 1_000_000,
    samples: Count = None,
    shown: Shown = DEFAULT,
) -> int:
    """Run a program on a board, and compare its outputs with the golden model's.

    The exit status is 0 only if all are equal, 1 if not.

    Example: `shiftloom run digits.program --port /dev/ttyUSB0 --input digits.npz`

    Parameters
    ----------
    program
        File that shiftloom compile wrote for the board's configuration.
    port
        Serial port at which the board is.
    input
        Samples in the model's own input layout, batch first: .npy, or .npz with one array for
        each input.
    output
        File for the outputs: .npz with one array for each output.
    baud
        Bits per second on the line.
    samples
        How many samples to run; all if not given.
    """
    from .run import run as verb
    from .tables import facts_table

    with shown.progress() as progress:
        found = verb(program, input, port, output, baud=baud, samples=samples, progress=progress)
    result = found.result
    facts: dict[str, object] = {
        "samples": result.samples,
        "cycles per sample": (result.cycles or 0) // result.samples,
        "clock": f"{found.clock_hz / 1e6:g} MHz",
        "samples a second on the machine": f"{found.samples_per_second:.1f}",
        "seconds, transfers included": f"{found.seconds:.2f}",
        "requests sent again": found.repeated,
    }
    data = {**facts, "equal": found.equal, "verdict": found.verdict(), "counters": result.counters}
    if found.equal:
        shown.show(data, facts_table(facts), found.verdict())
    else:
        shown.show(data)
        print_error(found.verdict())
    return YES if found.equal else NO
