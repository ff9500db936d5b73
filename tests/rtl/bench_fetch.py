"""Cocotb bench: the program's reader behind a hostile memory, alone and beside LOADs."""

import random

import cocotb
from cocotb.triggers import ClockCycles

from shiftloom.hw.fetch import fetched_layout
from shiftloom.isa.config import INSTRUCTION_BYTES
from shiftloom.isa.instructions import Instruction, Opcode
from tests.rtl.designs import CONFIGS
from tests.rtl.memory import Memory, connect_memory, monitor
from tests.rtl.streams import receive, send, start, until, watch
from tests.rtl.transfers import payloads
from tests.support.stalls import sometimes

PROGRAM, SIZE = 0x0FC0, 0x4000


class Program:
    """A random program, and what was fetched of it."""

    def __init__(self, dut, name, length, *, delay=0, stalls=0.0):
        self.dut, self.name, self.length, self.stalls = dut, name, length, stalls
        self.memory = Memory(random.Random(length).randbytes(SIZE), delay)
        self.fetched, self.bursts = [], []

    async def start(self):
        """Leave reset with a program."""
        dut, name = self.dut, self.name
        port = f"{name}_m_axi"
        connect_memory(dut, port, dut.clk, dut.rst, self.memory, stalls=self.stalls)
        await start(dut, **{f"{name}_program_addr": PROGRAM, f"{name}_length": self.length})
        cocotb.start_soon(monitor(dut, port, dut.clk, CONFIGS[name], self.bursts))

    def take(self):
        """Begin to take instructions."""
        layout, stalls = fetched_layout(), sometimes(self.stalls, 5)
        port = f"{self.name}_fetched"

        def take(bits):
            self.fetched.append(layout.from_bits(bits))

        cocotb.start_soon(receive(self.dut, port, stalls, take))

    async def finish(self):
        """Wait for all instructions, and for more that must not come."""
        await until(self.dut, lambda: len(self.fetched) == self.length)
        await ClockCycles(self.dut.clk, 60)
        code = b"".join(i.bits.to_bytes(INSTRUCTION_BYTES, "little") for i in self.fetched)
        assert len(code) == self.length * INSTRUCTION_BYTES
        return code


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), length=[1, 2, 67], stalls=[0.0, 0.5], delay=[0, 9])
async def instructions_arrive_in_order(dut, name, length, stalls, delay):
    program = Program(dut, name, length, delay=delay, stalls=stalls)
    await program.start()
    program.take()
    code = await program.finish()
    assert code == program.memory.data[PROGRAM : PROGRAM + len(code)]
    assert not any(i.error for i in program.fetched)
    assert sum(beats for _, _, beats in program.bursts) * CONFIGS[name].bus_bytes == len(code)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.5], part=[0, 16])
async def an_error_stays_with_its_instruction(dut, name, stalls, part):
    program = Program(dut, name, 23, stalls=stalls)
    address = PROGRAM + 9 * INSTRUCTION_BYTES + part
    program.memory.bad = range(address, address + 1)
    await program.start()
    program.take()
    await program.finish()
    assert [i.error for i in program.fetched] == [int(n == 9) for n in range(23)]


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.4])
async def instructions_that_wait_do_not_hold_up_loads(dut, name, stalls):
    program, dones = Program(dut, name, 60, stalls=stalls), []
    await program.start()
    fields = {"words": 40, "runs": 1, "pitch": 40}
    jobs = [Instruction(Opcode.LOAD, {**fields, "offset": 512 * n}) for n in range(5)]
    cocotb.start_soon(send(dut, f"{name}_load_job", payloads(jobs), sometimes(stalls, 6)))
    cocotb.start_soon(receive(dut, f"{name}_activation", sometimes(stalls, 7)))
    cocotb.start_soon(watch(dut, [f"{name}_load_done"], dones.append))
    await until(dut, lambda: sum(dones) == len(jobs))
    assert not program.fetched
    program.take()
    code = await program.finish()
    assert code == program.memory.data[PROGRAM : PROGRAM + len(code)]
