"""RTLIL for synthesis: what reads may give while their word is written."""

import re

import pytest
from amaranth import Module
from amaranth.back import rtlil
from amaranth.hdl import MemoryData
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from shiftloom.hw.rtlil_text import plain_rtlil
from shiftloom.hw.storage import storage


class TwoMemories(wiring.Component):
    """One memory that says that no word is read while it is written, and one that does not."""

    def __init__(self):
        super().__init__({"addr": In(3), "data": In(8), "en": In(1), "o": Out(8), "p": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.marked = storage(MemoryData(shape=8, depth=8, init=[]))
        m.submodules.plain = memory.Memory(shape=8, depth=8, init=[])
        for submodule, output in ((m.submodules.marked, self.o), (m.submodules.plain, self.p)):
            read, write = submodule.read_port(), submodule.write_port()
            m.d.comb += [port.addr.eq(self.addr) for port in (read, write)]
            m.d.comb += [write.data.eq(self.data), write.en.eq(self.en), output.eq(read.data)]
        return m


@pytest.fixture(scope="module")
def cells():
    """Return the read ports by memory."""
    text = plain_rtlil(rtlil.convert(TwoMemories(), name="top", emit_src=False), "top")
    ports = re.findall(r"cell \$memrd_v2 .*?\n  end", text, re.DOTALL)
    return {re.search(r'MEMID "\\\\(\w+)"', port)[1]: port for port in ports}


def test_marked_memories_may_give_anything_while_they_are_written(cells):
    assert "COLLISION_X_MASK 1'1\n" in cells["marked"]
    assert "TRANSPARENCY_MASK 1'0\n" in cells["marked"]


def test_other_memories_give_what_was_there_before(cells):
    assert "COLLISION_X_MASK 1'0\n" in cells["plain"]
