"""The command line: ``shiftloom VERB``; its errors are sentences, never tracebacks."""

import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

from cyclopts import App, CycloptsError

from .commands import COMMANDS
from .console import print_error, readable_warnings

__all__ = ["application", "main"]

#: Exit statuses; 1 means that the answer is no.
ERROR, BUG, INTERRUPTED = 2, 3, 130

_HELP = """\
Generate, simulate and verify accelerators for quantized neural networks.

Start with `shiftloom demo`. Every command prints JSON with `--json`. With `--debug` in front of a
command, an error shows its traceback.
"""


def application() -> App:
    """Return the command line's commands and options."""
    app = App(
        name="shiftloom",
        help=_HELP,
        help_format="markdown",
        version=lambda: metadata.version("shiftloom"),
    )
    for command in COMMANDS:
        app.command(command, name=command.__name__)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 is success, 1 the answer no (integers that differ, a node that is refused), 2 an error that
    the message explains, 3 a mistake in Shiftloom itself.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = bool(words) and words[0] == "--debug"
    app = application()
    try:
        command, bound, *_ = app.parse_args(
            words[1:] if debug else words, exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        print_error(f"{error}\n  help: {_help_for(words, app)}")
        return ERROR
    return _run(lambda: command(*bound.args, **bound.kwargs), debug)


def _help_for(words: Sequence[str], app: App) -> str:
    known = [word for word in words[:1] if word in app]
    return " ".join(["shiftloom", *known, "--help"])


def _run(command: Callable[[], Any], debug: bool) -> int:
    """Run a command; what goes wrong becomes a message and an exit status."""
    try:
        with readable_warnings():
            return int(command() or 0)
    except KeyboardInterrupt:
        print_error("interrupted")
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explain(error)


def _explain(error: Exception) -> int:
    """Print what went wrong, and return the exit status."""
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # nobody reads: no message, and none when Python exits
        return ERROR
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        print_error(f"{where}{error.strerror or error}")
    elif isinstance(error, _expected()):
        print_error(str(error))
    elif isinstance(error, MemoryError):
        print_error("not enough memory")
    else:
        kind = type(error).__name__
        print_error(
            f"{kind}: {error}\n  this is a mistake in Shiftloom, not in your files; "
            "shiftloom --debug VERB ... shows where"
        )
        return BUG
    return ERROR


def _expected() -> tuple[type[Exception], ...]:
    """Return the errors that say what is wrong with a user's files and options."""
    from ..boards.board import BoardError
    from ..boards.host import LinkError
    from ..boards.tools import ToolError
    from ..compiler.errors import CompileError
    from ..isa.config import ConfigError
    from ..isa.program import ProgramError
    from ..quant.errors import ModelError
    from ..sim.result import SimulationError
    from ..sim.rtl_compiler import BuildError
    from .errors import FlowError

    files = (ModelError, ConfigError, ProgramError, FlowError)
    boards = (BoardError, LinkError, ToolError)
    return (*files, *boards, CompileError, SimulationError, BuildError)


if __name__ == "__main__":
    sys.exit(main())
