"""How benchmarks start: options, warnings and errors as in the command line."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError

from shiftloom.boards.board import BoardError
from shiftloom.boards.tools import ToolError
from shiftloom.compiler.errors import CompileError
from shiftloom.flow.console import print_error, readable_warnings
from shiftloom.isa.config import ConfigError
from shiftloom.quant.errors import ModelError
from shiftloom.sim.result import SimulationError
from shiftloom.sim.rtl_compiler import BuildError

from .subjects import MissingDataError
from .topologies import TopologyError

__all__ = ["ERROR", "BenchmarkError", "changed_environment", "run"]

#: Exit status of what could not be measured; 1 means that a goal is missed.
ERROR = 2


class BenchmarkError(RuntimeError):
    """Results that differ: what computes something else is not measured."""


_EXPECTED = (
    BenchmarkError,
    BoardError,
    BuildError,
    CompileError,
    ConfigError,
    MissingDataError,
    ModelError,
    SimulationError,
    ToolError,
    TopologyError,
)


def run(benchmark: Callable[..., int], arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark with the command line's words, and return its exit status."""
    app = App(name=f"python -m benchmarks.{benchmark.__name__}", help_format="markdown")
    app.default(benchmark)
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
        with readable_warnings():
            return int(command(*bound.args, **bound.kwargs) or 0)
    except (CycloptsError, *_EXPECTED) as error:
        print_error(str(error))
        return ERROR


@contextmanager
def changed_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
