"""The LiteX module in systems with each of LiteX's buses, as LiteX connects it."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from shiftloom.boards.ip.package import litex_module
from tests.boards.bench_litex import PLACED
from tests.support.rtl import has_verilator, run_bench

BUILDER = Path(__file__).parent.parent / "support" / "litex_soc.py"

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("litex") is None, reason="litex is not installed (dependency group litex)"
    ),
    pytest.mark.skipif(not has_verilator(), reason="verilator, make or a compiler is missing"),
]


def system(folder, bus, module, verilog):
    """Return the Verilog of a system, accelerator included."""
    (folder / "shiftloom_litex.py").write_text(module)
    (folder / "memory.bin").write_bytes(PLACED.memory + bytes(-len(PLACED.memory) % 4))
    command = [sys.executable, "-W", "ignore", str(BUILDER), str(folder), bus]
    subprocess.run(command, check=True, capture_output=True, text=True)
    text = (folder / "soc.v").read_text()
    text = re.sub(r'\$readmemh\("', f'$readmemh("{folder}/', text)
    return f"{text}\n{verilog}"


@pytest.mark.parametrize("bus", ["wishbone", "axi-lite", "axi"])
def test_a_program_runs_from_the_memory_of_the_system(
    bus, least, least_verilog, least_top, tmp_path
):
    text = system(tmp_path, bus, litex_module(least, least_top), least_verilog)
    run_bench(text, "soc", "tests.boards.bench_litex", tmp_path)
