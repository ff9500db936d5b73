"""Hygiene of the generated Verilog: what tools that we cannot run here would stumble over."""

import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest

from shiftloom.hw.verilog import (
    accelerator_verilog,
    module_name,
    simulation_verilog,
)
from shiftloom.isa.config import Config
from tests.support.rtl import has_icarus, has_verilator, verilator_environment

CONFIG = Config(
    name="clean",
    rows=2,
    columns=3,
    bus_bytes=4,
    activation_bytes=1024,
    weight_bytes=256,
    parameter_bytes=1024,
    accumulator_pixels=8,
    activation_banks=2,
)
#: With a bit array; both have one name, so that the top module has.
BITS = Config(
    name="clean",
    rows=7,
    columns=8,
    bus_bytes=4,
    activation_bytes=1024,
    weight_bytes=512,
    parameter_bytes=1024,
    accumulator_pixels=8,
    activation_banks=2,
    bit_lanes=64,
)
TOP = module_name(CONFIG)

WRITE_ADDRESS = ("addr", "len", "size", "burst", "cache", "prot", "id", "valid", "ready")
FULL = {
    "ar": WRITE_ADDRESS,
    "aw": WRITE_ADDRESS,
    "w": ("data", "strb", "last", "valid", "ready"),
    "r": ("data", "resp", "last", "id", "valid", "ready"),
    "b": ("resp", "id", "valid", "ready"),
}
LITE = {
    "aw": ("addr", "prot", "valid", "ready"),
    "ar": ("addr", "prot", "valid", "ready"),
    "w": ("data", "strb", "valid", "ready"),
    "r": ("data", "resp", "valid", "ready"),
    "b": ("resp", "valid", "ready"),
}
BUSES = [f"m_axi_{c}{n}" for c, names in FULL.items() for n in names] + [
    f"s_axi_{c}{n}" for c, names in LITE.items() for n in names
]
TRACES = ["trace_start", "trace_done", *(f"trace_write_{n}" for n in ("valid", "addr", "data"))]

#: What Verilator may say, and why it does not matter.
WAIVED = {
    "CASEOVERLAP",  # earlier cases are meant to win
    "DECLFILENAME",  # one file holds all modules
    "PROCASSINIT",  # registers have a value at power-up, and are reset
    "SYMRSVDWORD",  # a port is called as the standard wants
    "UNUSEDSIGNAL",  # parts of vectors are for other blocks
    "VARHIDDEN",  # a memory is called like its module's instance
    "WIDTHEXPAND",  # comparison with a constant that has fewer bits
    "WIDTHTRUNC",  # logical negation of a vector
}

#: Memories with fewer rows become lookup tables; those may be read without a register.
SMALL_ROWS = 32


@pytest.fixture(scope="module", params=[CONFIG, BITS], ids=["bytes", "bits"])
def config(request):
    """Return a configuration."""
    return request.param


@pytest.fixture(scope="module")
def text(config):
    """Return the Verilog for people."""
    return accelerator_verilog(config)


def modules(text):
    """Return the modules by name."""
    return dict(re.findall(r"^module (\S+?)\((.*?)^endmodule", text, re.MULTILINE | re.DOTALL))


def ports(module):
    """Return the port names of a module in order."""
    return [name.strip() for name in module.partition(");")[0].split(",")]


def test_ports_have_plain_names_in_order(text):
    assert ports(modules(text)[TOP]) == sorted(["aclk", "aresetn", "interrupt", *BUSES])


def test_simulation_has_the_same_ports_and_traces(config):
    simulated = modules(simulation_verilog(config))
    assert list(simulated) == ["shiftloom_top"]
    wanted = sorted(["clk", "rst", "interrupt", *BUSES, *TRACES])
    assert ports(simulated["shiftloom_top"]) == wanted


def test_no_name_needs_an_escape(text):
    assert "\\" not in text
    code = re.sub(r"//.*|\"[^\"]*\"", "", text)
    assert not re.findall(r"[$](?!signed|unsigned)\w*", code)


def test_modules_are_prefixed_and_not_empty(text):
    for name, body in modules(text).items():
        assert name == TOP or name.startswith(f"{TOP}__")
        assert re.search(rf"^  (assign|always|{TOP}\w* \w+ \()", body, re.MULTILINE), name


def test_cases_and_processes_are_plain(text):
    assert "initial" not in text
    assert not re.search(r"always @\s*[(]?[*]", text)
    assert not re.search(r"case\w* \([^)]*\)\s*endcase", text)


def test_memories_register_their_data_not_their_address(text):
    found = 0
    for body in modules(text).values():
        for memory, last in re.findall(r"^  reg \[\d+:0\] (\w+) *\[(\d+):0\];", body, re.MULTILINE):
            reads = re.findall(rf"^.*[=(?:] *{memory}\[.*$", body, re.MULTILINE)
            assert reads, memory
            if int(last) >= SMALL_ROWS:
                found += 1
                assert all("<=" in line for line in reads), (memory, reads)
    assert found >= 3


def test_attributes_are_only_on_ports(text):
    found = re.findall(r"^((?:  \(\* X_\w+ = .* \*\)\n)+)  (\w+) ", text, re.MULTILINE)
    assert [kind for _, kind in found] == ["input", "input", "output"]
    assert sum(attributes.count("X_") for attributes, _ in found) == text.count("(* X_") == 6
    assert "src =" not in text


def test_header_says_what_it_is_and_whose(config, text):
    comment = "".join(line for line in text.splitlines(True) if line.startswith("//"))
    assert f"{config.id:#010x}" in comment
    assert all(f"// {line}" in comment for line in config.to_toml().splitlines())
    assert "belongs to" in comment


def test_text_does_not_depend_on_the_hash_seed(config, text):
    script = (
        "import hashlib, sys; from shiftloom.hw.verilog import accelerator_verilog;"
        "from shiftloom.isa.config import parse_config;"
        "text = accelerator_verilog(parse_config(sys.argv[1], 'test'));"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, config.to_toml()],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.rtl
@pytest.mark.skipif(not shutil.which("yosys"), reason="yosys is not installed")
def test_yosys_finds_no_loop_and_no_conflict(text, tmp_path):
    source = tmp_path / f"{TOP}.v"
    source.write_text(text)
    script = f"read_verilog {source}; hierarchy -check -top {TOP}; proc; flatten; check -assert"
    subprocess.run(["yosys", "-q", "-p", script], check=True)


@pytest.mark.rtl
@pytest.mark.skipif(not has_verilator(), reason="verilator is not installed")
def test_verilator_says_only_what_is_waived(text, tmp_path):
    source = tmp_path / f"{TOP}.v"
    source.write_text(text)
    with verilator_environment(tmp_path):
        command = ["verilator", "--lint-only", "-Wall", "-Wno-fatal", str(source)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(re.findall(r"%\w+-(\w+):", result.stderr)) <= WAIVED
    assert "%Error" not in result.stderr


@pytest.mark.rtl
@pytest.mark.skipif(not has_icarus(), reason="iverilog is not installed")
def test_icarus_takes_it_as_verilog_2005(text, tmp_path):
    source = tmp_path / f"{TOP}.v"
    source.write_text(text)
    command = ["iverilog", "-g2005", "-Wall", "-t", "null", str(source)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "error" not in result.stderr
