"""Values for all lanes: what each lane gets, and that synthesis keeps registers for neighbours."""

import json

import pytest
from amaranth import Module, Signal, signed
from amaranth.back import rtlil
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from shiftloom.boards.tools import YOSYS
from shiftloom.hw import spread as spread_module
from shiftloom.hw.rtlil_text import plain_rtlil
from shiftloom.hw.spread import SPREAD_CYCLES, spread

from ..boards.netlists import needs_yosys

LAYOUT = data.StructLayout({"low": 3, "flag": 1})


class Spread(wiring.Component):
    """A structure, and what each of some lanes gets."""

    def __init__(self, lanes, make=spread):
        self.lanes, self._make = lanes, make
        super().__init__({"i": In(LAYOUT), "o": Out(data.ArrayLayout(LAYOUT, lanes))})

    def elaborate(self, platform):
        m = Module()
        for lane, value in enumerate(self._make(m, self.i, self.lanes, "settings")):
            m.d.comb += self.o[lane].eq(value)
        return m


@pytest.mark.parametrize("lanes", [1, 2, 5, 16])
def test_each_lane_gets_the_value_some_cycles_later(simulate, lanes):
    dut = Spread(lanes)

    async def bench(ctx):
        for value in (5, 10, 15, 0):
            ctx.set(dut.i, LAYOUT.from_bits(value))
            await ctx.tick().repeat(SPREAD_CYCLES - 1)
            assert value not in [each.as_bits() for each in ctx.get(dut.o)]
            await ctx.tick()
            assert [each.as_bits() for each in ctx.get(dut.o)] == lanes * [value]
            assert {each.flag for each in ctx.get(dut.o)} == {value >> 3}

    simulate(dut, bench)


def test_a_sign_would_be_lost():
    with pytest.raises(TypeError, match=r"level is spread without its sign.*as_unsigned"):
        spread(None, Signal(signed(3)), 4, "level")


def readers(folder, make=spread, lanes=16):
    """Synthesize, and return for each register that leads out of the module its lanes."""
    design = Spread(lanes, make)
    text = rtlil.convert(design, name="top", emit_src=False)
    (folder / "top.il").write_text(plain_rtlil(text, "top"))
    YOSYS.run(
        ["-q", "-p", "read_rtlil top.il; synth_ecp5 -top top -noiopad -json top.json"], folder
    )
    top = json.loads((folder / "top.json").read_text())["modules"]["top"]
    registers = [cell for cell in top["cells"].values() if cell["type"] == "TRELLIS_FF"]
    bits = top["ports"]["o"]["bits"]
    shared = [bits[lane * LAYOUT.size] for lane in range(lanes)]
    assert set(bits) <= {cell["connections"]["Q"][0] for cell in registers}
    return len(registers), [shared.count(bit) for bit in dict.fromkeys(shared)]


@needs_yosys
def test_synthesis_keeps_a_register_for_each_quarter(tmp_path):
    assert readers(tmp_path) == ((2 + 4) * LAYOUT.size, [4, 4, 4, 4])


@needs_yosys
def test_registers_that_begin_alike_would_become_one(tmp_path, monkeypatch):
    kept = spread_module._child
    monkeypatch.setattr(spread_module, "_child", lambda m, name, node, half: kept(m, name, node, 0))
    assert readers(tmp_path) == (2 * LAYOUT.size, [16])
