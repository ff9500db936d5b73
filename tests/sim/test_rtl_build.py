"""Building and keeping simulators, on a small design that breaks the rules of its bus."""

import sys
import threading
from pathlib import Path

import pytest

from shiftloom.sim import libraries, rtl_build
from shiftloom.sim.result import SimulationError
from shiftloom.sim.rtl_build import build_library
from shiftloom.sim.rtl_compiler import BuildError, find_compiler
from shiftloom.sim.rtl_engine import build_engine
from tests.sim.cases import TINY, fill, first_segment, relay

pytestmark = pytest.mark.rtl

#: Answers every register access with the id of a configuration, and reads across a page.
STUB = f"""
module shiftloom_top(
  input clk, input rst, output interrupt,
  input [6:0] s_axi_awaddr, input [2:0] s_axi_awprot, input s_axi_awvalid, output s_axi_awready,
  input [31:0] s_axi_wdata, input [3:0] s_axi_wstrb, input s_axi_wvalid, output s_axi_wready,
  output [1:0] s_axi_bresp, output s_axi_bvalid, input s_axi_bready,
  input [6:0] s_axi_araddr, input [2:0] s_axi_arprot, input s_axi_arvalid, output s_axi_arready,
  output [31:0] s_axi_rdata, output [1:0] s_axi_rresp, output s_axi_rvalid, input s_axi_rready,
  output [31:0] m_axi_araddr, output [7:0] m_axi_arlen, output m_axi_arvalid,
  input m_axi_arready,
  output [31:0] m_axi_awaddr, output [7:0] m_axi_awlen, output m_axi_awvalid,
  input m_axi_awready,
  output [63:0] m_axi_wdata, output [7:0] m_axi_wstrb, output m_axi_wlast,
  output m_axi_wvalid, input m_axi_wready,
  input [63:0] m_axi_rdata, input [1:0] m_axi_rresp, input m_axi_rlast,
  input m_axi_rvalid, output m_axi_rready,
  input [1:0] m_axi_bresp, input m_axi_bvalid, output m_axi_bready,
  output [3:0] trace_start, output [3:0] trace_done,
  output trace_write_valid, output [13:0] trace_write_addr, output [31:0] trace_write_data);
  assign s_axi_awready = 1, s_axi_wready = 1, s_axi_bvalid = 1;
  assign s_axi_arready = 1, s_axi_rvalid = 1, s_axi_rdata = {TINY.id};
  reg [7:0] age = 0;
  always @(posedge clk) age <= rst ? 0 : age + 1;
  assign m_axi_arvalid = age == 200, m_axi_araddr = ADDRESS, m_axi_arlen = 3;
  assign m_axi_rready = 1, m_axi_bready = 1;
endmodule
"""


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """Give the test a cache of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(libraries, "cache_folder", lambda: folder)
    return folder


@pytest.fixture(scope="module")
def stub(compiler):
    """Return a function that builds the stub for an address."""
    return lambda address: build_engine(STUB.replace("ADDRESS", str(address)))


@pytest.mark.parametrize(
    ("address", "text"),
    [(0xFE8, "a burst crosses a 4 KiB page"), (0x1004, "an unaligned burst")],
)
def test_a_design_that_breaks_the_rules_of_its_bus_is_caught(stub, address, text):
    program, engine = relay(TINY), stub(address)
    with pytest.raises(SimulationError, match=f"breaks the rules of AXI4: {text}"):
        engine.run_segment(program, first_segment(program), fill(program))


def test_a_design_that_does_nothing_is_stuck(stub):
    program, engine = relay(TINY), stub(0xFE0)
    with pytest.raises(SimulationError, match="stuck: no work completed in 50000 cycles"):
        engine.run_segment(program, first_segment(program), fill(program), patience=50_000)


def test_two_at_once_build_one_library(compiler, cache):
    said, libraries = [], []

    def build():
        text = STUB.replace("ADDRESS", "0")
        libraries.append(build_library(text, progress=lambda *now: said.append(now)))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(libraries)) == 1
    assert list(cache.iterdir()) == [libraries[0]]
    assert {"translating Verilog", "compiling", "linking", "ready"} == {what for what, _ in said}

    said.clear()
    build()
    assert said == [("ready", 1.0)]  # from the cache
    assert len(set(libraries)) == 1


def test_another_text_or_compiler_is_another_library(compiler, cache, monkeypatch):
    built = []

    def build(_, bench, compiler, folder, tell):
        built.append(compiler)
        (folder / "x").touch()
        return folder / "x"

    monkeypatch.setattr(rtl_build, "_build", build)
    paths = [build_library(STUB), build_library(STUB), build_library(STUB + " ")]
    monkeypatch.setenv("CXX", f"{sys.executable} -I")
    paths.append(build_library(STUB))
    monkeypatch.setattr(rtl_build.metadata, "version", lambda name: f"{name} 6")
    paths.append(build_library(STUB))
    monkeypatch.setattr(rtl_build, "_source", lambda name: b"")
    paths.append(build_library(STUB))
    assert len(built) == len(set(paths)) == 5


def test_verilog_that_does_not_compile_leaves_nothing(compiler, cache):
    with pytest.raises(BuildError, match=r"verilator_bin failed \(1\):(.|\n)*nonsense"):
        build_library(STUB.replace("endmodule", "assign nonsense 1; endmodule"))
    assert list(cache.iterdir()) == []


def test_cpp_that_does_not_compile_leaves_nothing(compiler, cache):
    with pytest.raises(BuildError, match=r"failed \(1\):(.|\n)*has no member named.*interrupt"):
        build_library(STUB.replace("ADDRESS", "0").replace("output interrupt,", ""))
    assert list(cache.iterdir()) == []


def test_text_without_trace_is_refused(compiler):
    with pytest.raises(BuildError, match="no module shiftloom_top with trace ports"):
        build_library("module shiftloom_top; endmodule")


def test_a_cache_that_cannot_be_written_is_told(compiler, cache):
    cache.parent.joinpath("cache").write_text("a file")
    with pytest.raises(BuildError, match="cache cannot be written"):
        build_library(STUB)


def test_compilers_are_found_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "my-compiler --flag")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="CXX names my-compiler, which is not on the path"):
        find_compiler()
    for name in ("c++", "clang++", "g++", "my-compiler"):
        if name == "my-compiler":
            monkeypatch.setenv("CXX", "my-compiler --flag")
        else:
            monkeypatch.delenv("CXX", raising=False)
        path = tmp_path / name
        path.write_text("#!/bin/sh\necho 'compiler 1.2'\necho more\n")
        path.chmod(0o755)
        assert Path(find_compiler().command[0]).name == name
    assert find_compiler().command == ("my-compiler", "--flag")
    monkeypatch.delenv("CXX")
    assert find_compiler().command == (str(tmp_path / "g++"),)
    assert find_compiler().version == "compiler 1.2"


def test_ziglang_comes_last_and_its_absence_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {"ziglang": object()}
    monkeypatch.setattr("importlib.util.find_spec", found.get)
    assert find_compiler().command[:4] == (sys.executable, "-m", "ziglang", "c++")
    found.clear()
    with pytest.raises(BuildError, match=r'install g\+\+ or clang\+\+.*"shiftloom\[zig\]"'):
        find_compiler()


def test_a_tool_that_cannot_be_started_is_told(tmp_path):
    with pytest.raises(BuildError, match="nothing cannot be started: No such file"):
        rtl_build.run([str(tmp_path / "nothing")])
