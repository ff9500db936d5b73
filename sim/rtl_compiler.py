"""C++ compilers: find one, and compile files with it side by side."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["BuildError", "Compiler", "Job", "find_compiler"]

#: Names by which a system's compiler is known.
_NAMES = ("g++", "clang++", "c++")


class BuildError(RuntimeError):
    """A simulator that cannot be built; the message says what is missing or what a tool said."""


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler.

    Parameters
    ----------
    command : tuple of str
        How to call it; takes the options that g++ and clang share.
    """

    command: tuple[str, ...]

    @cached_property
    def version(self) -> str:
        """What it says about itself, on one line."""
        text = run([*self.command, "--version"])
        return text.partition("\n")[0].strip()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One file to compile: source, object, and options."""

    source: Path
    target: Path
    options: tuple[str, ...]


def find_compiler() -> Compiler:
    """Return ``$CXX``, else a compiler on the path, else the ``ziglang`` package.

    Raises
    ------
    BuildError
        There is none.
    """
    chosen = shlex.split(os.environ.get("CXX", ""))
    if chosen:
        if shutil.which(chosen[0]) is None:
            raise BuildError(f"CXX names {chosen[0]}, which is not on the path")
        return Compiler(tuple(chosen))
    for name in _NAMES:
        path = shutil.which(name)
        if path is not None:
            return Compiler((path,))
    if importlib.util.find_spec("ziglang") is not None:
        return Compiler((sys.executable, "-m", "ziglang", "c++", "-mcpu=baseline"))
    raise BuildError(
        "the rtl engine needs a C++ compiler: install g++ or clang++, "
        'or the Python package ziglang (pip install "shiftloom[zig]")'
    )


def compile_all(
    compiler: Compiler, jobs: Sequence[Job], folder: Path, done: Callable[[int], None]
) -> None:
    """Compile files, as many at a time as there are processors.

    Parameters
    ----------
    compiler : Compiler
        The compiler.
    jobs : sequence of Job
        Largest first, so that none is left over at the end.
    folder : Path
        Where to run it.
    done : callable
        Called with the number of files that are done, after each.
    """

    def compile_one(job: Job) -> None:
        run([*compiler.command, *job.options, "-c", str(job.source), "-o", str(job.target)], folder)

    with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
        futures = [pool.submit(compile_one, job) for job in jobs]
        try:
            for count, future in enumerate(futures, start=1):
                future.result()
                done(count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run(
    command: Sequence[str], folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Run a tool and return what it printed; a failure becomes a :class:`BuildError`."""
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error.strerror}") from error
    if result.returncode:
        said = "\n".join(result.stdout.strip().splitlines()[:20])
        raise BuildError(f"{Path(command[0]).name} failed ({result.returncode}):\n{said}")
    return result.stdout
