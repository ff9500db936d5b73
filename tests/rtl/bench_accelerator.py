"""Cocotb bench: an accelerator between cocotbext-axi's host and memory."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.registers import Control, Error, Status
from tests.rtl.host import Host
from tests.rtl.memory import Memory, connect_memory, monitor
from tests.support.programs import (
    compute_program,
    config_instruction,
    copy_program,
    expected,
    place,
)

CONFIG = load_config(os.environ["SHIFTLOOM_CONFIG"])
DONE, ERROR = 1 << Status.DONE, 1 << Status.ERROR
PERIOD = 10

INPUTS = (
    *(f"s_axi_{name}" for name in ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid")),
    *(f"s_axi_{name}" for name in ("bready", "araddr", "arprot", "arvalid", "rready")),
    *(f"m_axi_{name}" for name in ("arready", "rid", "rdata", "rresp", "rlast", "rvalid")),
    *(f"m_axi_{name}" for name in ("awready", "wready", "bid", "bresp", "bvalid")),
)


class Bench:
    """Host and memory of one test."""

    async def start(self, dut, memory, stalls=0.0):
        """Reset the accelerator and connect both sides."""
        self.dut, self.memory = dut, memory
        await self._reset()
        connect_memory(
            dut, "m_axi", dut.aclk, dut.aresetn, memory, stalls=stalls, reset_active_level=False
        )
        self.host = Host(
            dut, "s_axi", dut.aclk, dut.aresetn, stalls=stalls, reset_active_level=False
        )
        for _ in range(3):
            await RisingEdge(dut.aclk)
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)
        self.host.monitor()
        cocotb.start_soon(monitor(dut, "m_axi", dut.aclk, CONFIG, bursts=[]))

    async def _reset(self):
        """Assert reset after all inputs have values: Icarus keeps unknown what never changes."""
        for name in INPUTS:
            self.dut[name].value = 0
        self.dut.aresetn.value = 1
        Clock(self.dut.aclk, PERIOD, unit="ns").start()
        await Timer(1, unit="ns")
        self.dut.aresetn.value = 0
        for _ in range(3):
            await RisingEdge(self.dut.aclk)

    async def run(self, placed):
        """Run a placed program; return the status."""
        await self.host.write("PROGRAM", placed.program)
        await self.host.write("PROGRAM_LENGTH", placed.length)
        for region, base in enumerate(placed.bases):
            await self.host.write(f"BASE{region}", base)
        await self.host.write("CONTROL", 1 << Control.START | 1 << Control.INTERRUPT_ENABLE)
        if not self.dut.interrupt.value:
            await RisingEdge(self.dut.interrupt)
        return await self.host.read("STATUS")


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.5], seed=[1, 2])
async def copies_follow_the_definition(dut, stalls, seed):
    program = copy_program(CONFIG, seed, transfers=20)
    placed = place(CONFIG, program, seed)
    bench = Bench()
    await bench.start(dut, Memory(placed.memory), stalls)
    assert await bench.run(placed) == DONE
    assert bench.memory.data == expected(CONFIG, placed, program)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.3], seed=[1, 2])
async def all_engines_follow_the_definition(dut, stalls, seed):
    program, contents = compute_program(CONFIG, seed)
    placed = place(CONFIG, program, seed, 1 << 16, contents)
    bench = Bench()
    await bench.start(dut, Memory(placed.memory), stalls)
    assert await bench.run(placed) == DONE
    assert bench.memory.data == expected(CONFIG, placed, program, 1 << 16)


LOAD = Instruction(Opcode.LOAD, {"words": 60, "runs": 1, "memory_pitch": 512})
STORE = Instruction(Opcode.STORE, {**LOAD.fields, "region": 1, "offset": 1024, "wait_load": 1})
END = Instruction(Opcode.END, {})
FIRST = config_instruction(CONFIG)
GOOD = [FIRST, LOAD, STORE, END]
OTHER = Instruction(Opcode.CONFIG, {"config_id": CONFIG.id ^ 1})
WRONG = {
    "opcode": ([FIRST, LOAD, LOAD, bytes(32), END], None, Error.ILLEGAL_OPCODE, 3),
    "config": ([OTHER, LOAD, END], None, Error.WRONG_CONFIG, 0),
    "no_end": ([FIRST, LOAD, LOAD], None, Error.NO_END, 3),
    "fetch": ([FIRST, *[LOAD] * 40, END], ("program", 32 * 20), Error.FETCH_BUS, 20),
    "load": ([FIRST, *[LOAD] * 6, END], (0, 128), Error.LOAD_BUS, 1),
    "store": ([*GOOD[:3], *[LOAD] * 20, END], (1, 1024 + 64), Error.STORE_BUS, 2),
}


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(what=list(WRONG), stalls=[0.0, 0.4])
async def failures_are_reported_and_leave_no_trace(dut, what, stalls):
    program, bad, code, index = WRONG[what]
    placed, good = place(CONFIG, program), place(CONFIG, GOOD, seed=random.randrange(100))
    bench = Bench()
    await bench.start(dut, Memory(placed.memory), stalls)
    if bad is not None:
        base = placed.program if bad[0] == "program" else placed.bases[bad[0]]
        bench.memory.bad = range(base + bad[1], base + bad[1] + CONFIG.bus_bytes)
    assert await bench.run(placed) == ERROR
    assert await bench.host.read("ERROR") == code
    assert await bench.host.read("ERROR_INDEX") == index

    await bench.host.write("CONTROL", 1 << Control.RESET)
    while await bench.host.read("STATUS"):
        pass
    bench.memory.bad, bench.memory.data = range(0), bytearray(good.memory)
    assert await bench.run(good) == DONE
    assert bench.memory.data == expected(CONFIG, good, GOOD)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def slow_memory_changes_nothing(dut):
    program = copy_program(CONFIG, 7, transfers=8)
    placed = place(CONFIG, program)
    bench = Bench()
    await bench.start(dut, Memory(placed.memory, delay=6))
    assert await bench.run(placed) == DONE
    assert bench.memory.data == expected(CONFIG, placed, program)
