"""RegisterBridge: words reach the registers of the accelerator's control block."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from shiftloom.boards.register_bridge import RegisterBridge
from shiftloom.boards.word_bus import word_bus_signature
from shiftloom.hw.control import Control
from shiftloom.isa.config import load_config
from shiftloom.isa.registers import register
from tests.boards.test_block_memory import access
from tests.support.pysim import simulate

CONFIG = load_config("tiny")


class Bridged(wiring.Component):
    """A bridge before real registers."""

    def __init__(self):
        super().__init__({"bus": In(word_bus_signature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = RegisterBridge()
        m.submodules.control = control = Control(CONFIG)
        connect(m, flipped(self.bus), bridge.bus)
        connect(m, bridge.s_axi, control.s_axi)
        m.d.comb += [control.idle.eq(1)]
        return m


def test_registers_are_written_and_read():
    dut = Bridged()

    async def drive(ctx):
        assert await access(ctx, dut.bus, register("CONFIG_ID").offset) == CONFIG.id
        for number, name in enumerate(("BASE0", "BASE1", "PROGRAM", "BASE3")):
            await access(ctx, dut.bus, register(name).offset, 0x1000 + number)
        for number, name in enumerate(("BASE0", "BASE1", "PROGRAM", "BASE3")):
            assert await access(ctx, dut.bus, register(name).offset) == 0x1000 + number
        assert await access(ctx, dut.bus, register("BASE2").offset) == 0

    simulate(dut, drive)
