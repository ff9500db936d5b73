"""Generated Verilog of whole accelerators, between bus models."""

import re

import pytest

from shiftloom.hw.verilog import accelerator_verilog, module_name, simulation_verilog
from tests.rtl.designs import CONFIGS
from tests.support.rtl import has_icarus, has_verilator, run_bench

pytestmark = pytest.mark.rtl

WIDE, NARROW, BITS = CONFIGS["wide"], CONFIGS["narrow"], CONFIGS["bits"]


def run(text, config, folder, **options):
    """Run the bench on Verilog of a configuration."""
    toml = folder / "config.toml"
    toml.write_text(config.to_toml())
    settings = {"SHIFTLOOM_CONFIG": str(toml)}
    bench = "tests.rtl.bench_accelerator"
    run_bench(text, module_name(config), bench, folder, settings=settings, **options)


def packaged(text, name):
    """Return the Verilog for simulation behind the clock and reset of the Verilog for people."""
    declared = re.findall(r"^  (input|output) (\[\d+:0\] )?(\w+);", text, re.MULTILINE)
    ports = [(d, w, n) for d, w, n in declared if n not in ("clk", "rst")]
    heads = [f"{direction} {width}{port}" for direction, width, port in ports]
    pins = [f".{port}({port})" for _, _, port in ports]
    head = ", ".join(["input aclk", "input aresetn", *heads])
    body = ", ".join([".clk(aclk)", ".rst(~aresetn)", *pins])
    return f"{text}\nmodule {name}({head});\n  shiftloom_top top({body});\nendmodule\n"


@pytest.mark.skipif(not has_verilator(), reason="verilator, make or a compiler is not installed")
@pytest.mark.parametrize(
    "config", [WIDE, pytest.param(BITS, marks=pytest.mark.slow)], ids=lambda c: c.name
)
def test_accelerator_under_verilator(tmp_path, config):
    run(accelerator_verilog(config), config, tmp_path)


@pytest.mark.skipif(not has_verilator(), reason="verilator, make or a compiler is not installed")
def test_simulation_text_is_the_same_hardware(tmp_path):
    text = packaged(simulation_verilog(NARROW, trace=False), module_name(NARROW))
    run(text, NARROW, tmp_path)


@pytest.mark.skipif(not has_icarus(), reason="iverilog is not installed")
def test_accelerator_under_icarus(tmp_path):
    options = {"simulator": "icarus", "only": "stalls=0.0|slow"}
    run(accelerator_verilog(WIDE), WIDE, tmp_path, **options)
