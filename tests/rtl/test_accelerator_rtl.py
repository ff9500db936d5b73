"""Generated Verilog of whole accelerators, between bus models."""

import re

import pytest

from shiftloom.hw.verilog import accelerator_verilog, module_name, simulation_verilog
from shiftloom.isa.config import Config
from tests.support.rtl import has_icarus, has_verilator, run_bench

pytestmark = pytest.mark.rtl

#: A bus wider than a word, and one narrower; all else small, so that it compiles quickly.
WIDE = Config(
    name="wide",
    rows=4,
    columns=4,
    bus_bytes=16,
    activation_bytes=1024,
    weight_bytes=1024,
    parameter_bytes=8192,
    accumulator_pixels=29,
    activation_banks=2,
    burst_beats=16,
)
NARROW = Config(
    name="narrow",
    rows=3,
    columns=5,
    bus_bytes=4,
    activation_bytes=1920,
    weight_bytes=2688,
    parameter_bytes=16384,
    accumulator_pixels=29,
    vector_taps=2,
    burst_beats=8,
)


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
def test_accelerator_under_verilator(tmp_path):
    run(accelerator_verilog(WIDE), WIDE, tmp_path)


@pytest.mark.skipif(not has_verilator(), reason="verilator, make or a compiler is not installed")
def test_simulation_text_is_the_same_hardware(tmp_path):
    text = packaged(simulation_verilog(NARROW, trace=False), module_name(NARROW))
    run(text, NARROW, tmp_path)


@pytest.mark.skipif(not has_icarus(), reason="iverilog is not installed")
def test_accelerator_under_icarus(tmp_path):
    options = {"simulator": "icarus", "only": "stalls=0.0|slow"}
    run(accelerator_verilog(WIDE), WIDE, tmp_path, **options)
