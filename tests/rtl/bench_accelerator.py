"""Cocotb bench: an accelerator between cocotbext-axi's host and memory."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiSlave

from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.registers import Control, Error, Status, register
from tests.support.programs import (
    compute_program,
    config_instruction,
    copy_program,
    expected,
    place,
)
from tests.support.stalls import sometimes

CONFIG = load_config(os.environ["SHIFTLOOM_CONFIG"])
DONE, ERROR = 1 << Status.DONE, 1 << Status.ERROR
PERIOD = 10

INPUTS = (
    *(f"s_axi_{name}" for name in ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid")),
    *(f"s_axi_{name}" for name in ("bready", "araddr", "arprot", "arvalid", "rready")),
    *(f"m_axi_{name}" for name in ("arready", "rid", "rdata", "rresp", "rlast", "rvalid")),
    *(f"m_axi_{name}" for name in ("awready", "wready", "bid", "bresp", "bvalid")),
)


class Memory:
    """Bytes behind the memory port; bad addresses answer with SLVERR, each access takes time."""

    def __init__(self, data, delay=0):
        self.data, self.delay, self.bad = bytearray(data), delay, range(0)

    async def read(self, address, length, **_):
        """Return bytes."""
        await self._access(address)
        return bytes(self.data[address : address + length])

    async def write(self, address, data, **_):
        """Change bytes."""
        await self._access(address)
        self.data[address : address + len(data)] = data

    async def _access(self, address):
        if self.delay:
            await Timer(self.delay * PERIOD, unit="ns")
        if address in self.bad:
            raise IndexError(address)


class Bench:
    """Host and memory of one test."""

    async def start(self, dut, memory, stalls=0.0):
        """Reset the accelerator and connect both sides."""
        self.dut, self.memory = dut, memory
        await self._reset()
        bus = AxiBus.from_prefix(dut, "m_axi")
        self.slave = AxiSlave(bus, dut.aclk, dut.aresetn, memory, reset_active_level=False)
        lite = AxiLiteBus.from_prefix(dut, "s_axi")
        self.host = AxiLiteMaster(lite, dut.aclk, dut.aresetn, reset_active_level=False)
        for part in (self.slave, self.host):
            part.write_if.log.setLevel("WARNING")
            part.read_if.log.setLevel("WARNING")
        if stalls:
            read, write = self.slave.read_if, self.slave.write_if
            channels = (
                read.ar_channel,
                read.r_channel,
                write.aw_channel,
                write.w_channel,
                write.b_channel,
            )
            for seed, channel in enumerate(channels):
                channel.set_pause_generator(sometimes(stalls, seed))
        for _ in range(3):
            await RisingEdge(dut.aclk)
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)

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

    async def write(self, name, value):
        """Write a register."""
        await self.host.write_dword(register(name).offset, value)

    async def read(self, name):
        """Return a register."""
        return await self.host.read_dword(register(name).offset)

    async def run(self, placed):
        """Run a placed program; return the status."""
        await self.write("PROGRAM", placed.program)
        await self.write("PROGRAM_LENGTH", placed.length)
        for region, base in enumerate(placed.bases):
            await self.write(f"BASE{region}", base)
        await self.write("CONTROL", 1 << Control.START | 1 << Control.INTERRUPT_ENABLE)
        if not self.dut.interrupt.value:
            await RisingEdge(self.dut.interrupt)
        return await self.read("STATUS")


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
    assert await bench.read("ERROR") == code
    assert await bench.read("ERROR_INDEX") == index

    await bench.write("CONTROL", 1 << Control.RESET)
    while await bench.read("STATUS"):
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
