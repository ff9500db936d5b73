"""Cocotb bench: after a halt, what is in flight is completed and nothing else begins."""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.semantics import execute
from tests.rtl.designs import CONFIGS
from tests.rtl.memory import Memory, connect_memory, monitor
from tests.rtl.streams import receive, send, start, until
from tests.rtl.transfers import BASES, machine_of, memory_of, number, payloads, serve_words
from tests.support.stalls import sometimes

#: Bursts of a channel that may have left their engine when the halt comes.
UNDERWAY = 2


class Traffic:
    """LOADs, STOREs and a program at once, without end."""

    def __init__(self, dut, name, stalls):
        self.dut, self.name, self.stalls = dut, name, stalls
        self.machine, self.bursts = machine_of(CONFIGS[name], seed=3), []
        self.memory = Memory(memory_of(self.machine), delay=3)
        fields = {"words": 24, "runs": 4, "memory_pitch": 512, "pitch": 24}
        places = [{"offset": 2048 * n, "region": 2, "addr": 20 * n} for n in range(4)]
        self.stores = [Instruction(Opcode.STORE, {**fields, **place}) for place in places]
        self.loads = [Instruction(Opcode.LOAD, fields)] * 20

    async def start(self):
        """Leave reset and begin everything."""
        dut, name, stalls = self.dut, self.name, self.stalls
        port = f"{name}_m_axi"
        connect_memory(dut, port, dut.clk, dut.rst, self.memory, stalls=stalls)
        bases = {f"{name}_bases_{n}": base for n, base in enumerate(BASES)}
        await start(dut, **bases, **{f"{name}_program_addr": BASES[3], f"{name}_length": 200})
        cocotb.start_soon(monitor(dut, port, dut.clk, CONFIGS[name], self.bursts))
        words = [number(word) for word in self.machine.activation]
        cocotb.start_soon(serve_words(dut, f"{name}_read", words, sometimes(stalls, 1)))
        cocotb.start_soon(receive(dut, f"{name}_activation", sometimes(stalls, 2)))
        dut[f"{name}_fetched_ready"].value = 1
        for engine, jobs in {"load": self.loads, "store": self.stores}.items():
            cocotb.start_soon(send(dut, f"{name}_{engine}_job", payloads(jobs)))

    def count(self, channel):
        """Return how many bursts a channel has taken."""
        return sum(name == channel for name, _, _ in self.bursts)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.5], cycles=[12, 33, 61, 100, 150])
async def what_is_in_flight_is_completed(dut, name, stalls, cycles):
    traffic = Traffic(dut, name, stalls)
    await traffic.start()
    await ClockCycles(dut.clk, cycles)
    dut[f"{name}_halt"].value = 1
    before = {channel: traffic.count(channel) for channel in ("ar", "aw")}
    await until(dut, lambda: dut[f"{name}_idle"].value)
    after = {channel: traffic.count(channel) for channel in before}
    assert all(after[channel] <= before[channel] + UNDERWAY for channel in before)
    await ClockCycles(dut.clk, 100)
    assert dut[f"{name}_idle"].value
    assert all(traffic.count(channel) == after[channel] for channel in after)

    old, found = memory_of(traffic.machine), traffic.memory.data
    for job in traffic.stores:
        execute(traffic.machine, job)
    old, new, found = (np.frombuffer(m, np.uint8) for m in (old, memory_of(traffic.machine), found))
    assert np.all((found == old) | (found == new))
    assert cycles < 100 or np.any(found != old)
