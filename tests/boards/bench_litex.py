"""Cocotb bench: a host on the bus of a LiteX system starts a program and looks at the memory."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from shiftloom.isa.registers import Control, Status, register
from tests.boards.conftest import LEAST
from tests.support.litex_addresses import MEMORY, REGISTERS
from tests.support.programs import copy_program, expected, place

REGION_BYTES = 1024
PROGRAM = copy_program(LEAST, seed=4, region_bytes=REGION_BYTES, most_words=20)
PLACED = place(LEAST, PROGRAM, region_bytes=REGION_BYTES)


@cocotb.test()
async def a_program_runs(dut):
    cocotb.start_soon(Clock(dut.sys_clk, 10, "ns").start())
    dut.sys_rst.value = 1
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "host"), dut.sys_clk, dut.sys_rst)
    host.write_if.log.setLevel("WARNING")
    host.read_if.log.setLevel("WARNING")
    for _ in range(10):
        await RisingEdge(dut.sys_clk)
    dut.sys_rst.value = 0

    async def write(name, value):
        await host.write_dword(REGISTERS + register(name).offset, value)

    async def read(name):
        return await host.read_dword(REGISTERS + register(name).offset)

    assert await read("CONFIG_ID") == LEAST.id
    for region, base in enumerate(PLACED.bases):
        await write(f"BASE{region}", MEMORY + base)
    await write("PROGRAM", MEMORY + PLACED.program)
    await write("PROGRAM_LENGTH", PLACED.length)
    await write("CONTROL", 1 << Control.START | 1 << Control.INTERRUPT_ENABLE)
    await with_timeout(RisingEdge(dut.interrupt), 2, "ms")
    assert await read("STATUS") == 1 << Status.DONE
    last = PLACED.bases[-1] + REGION_BYTES
    found = await host.read(MEMORY, last)
    wanted = expected(LEAST, PLACED, PROGRAM, region_bytes=REGION_BYTES)[:last]
    assert found.data == wanted
    assert wanted != PLACED.memory[:last]
