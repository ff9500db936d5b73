"""What boards hold and how fast they run: cells, memory, clock, peak, and the tools' time.

``python -m benchmarks.boards``

What was built before comes from the cache; a first build of a board takes minutes to an hour.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import Parameter

from shiftloom.boards.board import BOARDS, BoardError
from shiftloom.boards.tools import ToolError
from shiftloom.flow.build import Build, build
from shiftloom.flow.console import Shown, print_error
from shiftloom.flow.options import DEFAULT
from shiftloom.flow.tables import plain_table

from .command import ERROR, run

__all__ = ["boards", "main", "row_of"]

_COLUMNS = (
    *("board", "configuration", "LUT", "FF", "DSP", "memory bits", "MACs a cycle"),
    *("clock MHz", "reached MHz", "not timed", "peak GOPS", "tools s"),
)


def boards(
    *,
    names: Annotated[Sequence[str], Parameter(consume_multiple=True, negative=())] = BOARDS,
    config: str | None = None,
    seed: int | None = None,
    shown: Shown = DEFAULT,
) -> int:
    """Build for boards, and show what place-and-route says.

    The exit status is 1 if a board's clock is faster than what was reached, 2 if one could not be
    built; the others are shown.

    Parameters
    ----------
    names
        Boards.
    config
        The accelerator, if not each board's own.
    seed
        Of the placement, if not each board's own.
    """
    rows, slow, failed = [], False, {}
    with shown.progress() as progress, TemporaryDirectory() as folder:
        for name in names:
            try:
                built = build(name, Path(folder) / name, config, seed=seed, progress=progress)
            except (BoardError, ToolError) as error:
                failed[name] = error
                continue
            rows.append(row_of(built))
            slow |= not built.fast_enough
    table = plain_table(*_COLUMNS, right=_COLUMNS[2:], title="Boards, after place and route")
    for row in rows:
        table.add_row(*(str(row[column]) for column in _COLUMNS))
    shown.show(rows, table)
    for name, reason in failed.items():
        print_error(f"{name}: {reason}")
    return ERROR if failed else int(slow)


def row_of(built: Build) -> dict[str, object]:
    """Return a build's figures by column; the tools' time is empty where the cache spared them."""
    values = (
        *(built.board, built.config, *(built.total.get(k, 0) for k in ("LUT", "FF", "DSP"))),
        *(built.memory_bits, built.macs_per_cycle, f"{built.clock_mhz:g}"),
        *(f"{built.achieved_mhz:.1f}", built.untimed, f"{built.peak_gops:.1f}"),
        f"{sum(built.seconds.values()):.0f}" if built.seconds else "",
    )
    return dict(zip(_COLUMNS, values, strict=True))


def main() -> int:
    """Run the benchmark as a command."""
    return run(boards)


if __name__ == "__main__":
    sys.exit(main())
