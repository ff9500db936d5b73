"""What commands print: tables or JSON on stdout; progress, warnings and errors on stderr."""

import json
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .progress import Progress as Report
from .progress import silent

__all__ = ["Shown", "print_error", "readable_warnings"]

#: Seconds of work before it says what it is doing, where there is no terminal to show a bar.
PATIENCE = 2.0


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Shown:
    """How a command shows its results; every command has these options."""

    json: Annotated[bool, Parameter(negative=())] = False
    "Print the result as JSON on stdout."
    quiet: Annotated[bool, Parameter(negative=())] = False
    "Print no progress and no tables."

    def show(self, data: Any, *tables: RenderableType) -> None:
        """Print a result: as JSON, as tables, or not at all."""
        if self.json:
            print(json.dumps(data, indent=2, default=str))
        elif not self.quiet:
            console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
            for table in tables:
                if isinstance(table, str):
                    console.print(table, markup=False, soft_wrap=True)
                else:
                    console.print(table)

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """Give a function that work can tell its progress to."""
        if self.quiet:
            yield silent
        elif sys.stderr.isatty():
            with _bars() as bars:
                yield _Bar(bars).report
        else:
            yield _Lines().report


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Bar:
    """One bar, which shows the latest stage."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.task: TaskID | None = None

    def report(self, stage: str, done: int, total: int) -> None:
        """Show a stage; without a known end the bar only moves."""
        if self.task is None:
            self.task = self.bars.add_task(escape(stage))
        text, end = escape(stage), total or None
        self.bars.update(self.task, description=text, completed=done, total=end)


class _Lines:
    """A line for each stage, once the work takes long."""

    def __init__(self) -> None:
        self.start, self.last = time.monotonic(), ""

    def report(self, stage: str, done: int, total: int) -> None:
        """Print a stage if it is new, and nothing was printed for a while."""
        if stage != self.last and time.monotonic() - self.start > PATIENCE:
            print(stage, file=sys.stderr, flush=True)
            self.start, self.last = time.monotonic(), stage


def print_error(message: str) -> None:
    """Print an error on stderr."""
    _stderr().print(f"[bold red]error:[/] {escape(message)}")


def print_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning on stderr, as a replacement of :func:`warnings.showwarning`."""
    _stderr().print(f"[yellow]warning:[/] {escape(str(message))}")


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def readable_warnings() -> Iterator[None]:
    """Print what users are warned of as sentences; hide what is meant for programmers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = print_warning
        yield
