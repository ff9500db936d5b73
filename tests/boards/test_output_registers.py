"""Output registers of block memories: which registers they replace, and nothing else comes out."""

import copy

import pytest
from amaranth import Module, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from shiftloom.boards.flat_module import FlatModule
from shiftloom.boards.output_registers import use_output_registers
from shiftloom.boards.tools import ToolError
from shiftloom.hw.storage import storage

from .netlists import cell, claim_equal, needs_yosys

FLIP_FLOP = {"CLK": "input", "DI": "input", "CE": "input", "LSR": "input", "Q": "output"}
PLAIN = {"CLKMUX": "CLK", "CEMUX": "1 ", "REGSET": "RESET", "GSR": "DISABLED"}
MEMORY = {"CLKA": "input", "CLKB": "input", "OCEA": "input", "OCEB": "input"}
MEMORY |= dict.fromkeys(("DOA0", "DOA1", "DOB0", "DOB1"), "output")
CLOCK = 2


def module(width=18):
    """Return a memory with a flip-flop behind three of its outputs; the fourth leads nowhere."""
    block = cell("DP16KD", MEMORY, CLOCK, CLOCK, "0", "0", 10, 11, 12, 13)
    widths = {"DATA_WIDTH_A": f"{width:b}", "DATA_WIDTH_B": f"{width:b}"}
    modes = {f"{name}_{port}": "NOREG" for name in ("REGMODE",) for port in "AB"}
    block["parameters"] = {**widths, **modes, "CLKAMUX": "CLKA", "CLKBMUX": "CLKB"}
    cells = {"memory": block}
    for bit in (10, 11, 12):
        register = cell("TRELLIS_FF", FLIP_FLOP, CLOCK, bit, "1", "0", 10 + bit)
        cells[f"register_{bit}"] = {**register, "parameters": dict(PLAIN)}
        reader = cell("LUT4", {"A": "input", "Z": "output"}, 10 + bit, 20 + bit)
        cells[f"reader_{bit}"] = reader
    return {"cells": cells, "netnames": {"far": {"bits": [40]}}}


def changed(before):
    """Return the memory after the step, and the registers that are left."""
    after = copy.deepcopy(before)
    use_output_registers(FlatModule(after))
    return after["cells"]["memory"], {name for name in after["cells"] if "register" in name}


def modes(block):
    return block["parameters"]["REGMODE_A"], block["parameters"]["REGMODE_B"]


def test_a_memory_takes_the_place_of_what_is_behind_it():
    block, left = changed(module())
    assert modes(block) == ("OUTREG", "OUTREG") and not left
    found = block["connections"]
    assert [found[port] for port in ("DOA0", "DOA1", "DOB0", "DOB1")] == [[20], [21], [22], [13]]
    assert found["OCEA"] == found["OCEB"] == ["1"]


REFUSED = {
    "enable": {"parameters": {**PLAIN, "CEMUX": "CE"}},
    "first value": {"parameters": {**PLAIN, "REGSET": "SET"}},
    "edge": {"parameters": {**PLAIN, "CLKMUX": "INV"}},
    "reset": {"LSR": [5]},
    "clock": {"CLK": [3]},
    "data beside tables": {"DI": ["0"], "M": [11]},
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_port_keeps_its_registers_if_one_of_them_does_more(what):
    before = module()
    register = before["cells"]["register_11"]
    parameters = REFUSED[what].get("parameters", register["parameters"])
    register["parameters"] = parameters
    register["port_directions"] = {**register["port_directions"], "M": "input"}
    bits = {port: bits for port, bits in REFUSED[what].items() if port != "parameters"}
    register["connections"] |= bits
    block, left = changed(before)
    assert modes(block) == ("NOREG", "OUTREG")
    assert left == {"register_10", "register_11"}
    assert block["connections"]["OCEA"] == ["0"]


def test_words_of_both_ports_are_registered_together():
    before = module(width=36)
    before["cells"]["register_11"]["parameters"]["CEMUX"] = "CE"
    block, left = changed(before)
    assert modes(block) == ("NOREG", "NOREG") and len(left) == 3


def test_what_somebody_else_reads_at_once_stays():
    before = module()
    before["cells"]["other"] = cell("LUT4", {"A": "input", "Z": "output"}, 12, 39)
    block, left = changed(before)
    assert modes(block) == ("OUTREG", "NOREG") and left == {"register_12"}


def test_what_leads_to_several_places_goes_out_by_a_table():
    before = module()
    before["cells"]["other"] = cell("LUT4", {"A": "input", "Z": "output"}, 20, 39)
    after = copy.deepcopy(before)
    use_output_registers(FlatModule(after))
    flat = FlatModule(after)
    ((table, port, _),) = flat.readers[20]
    (beyond,) = flat.cells[table]["connections"]["Z"]
    assert port == "A" and {pin.cell for pin in flat.readers[beyond]} == {"reader_10", "other"}
    assert [pin.cell for pin in flat.readers[21]] == ["reader_11"]


class Words(wiring.Component):
    """A memory of which no word is read while it is written, and a register behind it.

    Two tables read most bits of the register.
    """

    def __init__(self, width):
        self.width = width
        ports = {"write": In(1), "addr": In(2), "data": In(width), "o": Out(width)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        held = storage(MemoryData(shape=self.width, depth=512, init=[]))
        m.submodules.words = held
        write, read = held.write_port(), held.read_port()
        word = Signal(self.width, reset_less=True)
        m.d.comb += [write.en.eq(self.write), write.addr.eq(self.addr), read.addr.eq(self.addr ^ 1)]
        m.d.comb += [write.data.eq(self.data), self.o.eq(word ^ (word >> 1))]
        m.d.sync += word.eq(read.data)
        return m


def too_late(module):
    """Switch the registers on, and keep those behind them."""
    for found in module.cells.values():
        if found["type"] == "DP16KD":
            found["parameters"] |= {"REGMODE_A": "OUTREG", "REGMODE_B": "OUTREG"}
    module.add("idle", "LUT4", dict.fromkeys("ABCD", "0"), "Z", INIT="0" * 16)


@needs_yosys
@pytest.mark.parametrize("width", [8, 16, 36])
def test_what_comes_out_stays_the_same(tmp_path, width):
    claim_equal(tmp_path, use_output_registers, Words(width), steps=6, removed=["TRELLIS_FF"])


@needs_yosys
def test_a_register_too_many_is_found(tmp_path):
    with pytest.raises(ToolError, match="proof did fail"):
        claim_equal(tmp_path, too_late, Words(16), steps=6)
