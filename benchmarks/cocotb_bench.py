"""Cocotb bench: runs a placed program several times, and writes how fast that was."""

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from shiftloom.isa.registers import Control, Status, register

__all__ = ["measure"]

PERIOD = 10

#: Inputs that no bus model drives before reset; Icarus keeps unknown what never changes.
_INPUTS = (
    *(f"s_axi_{name}" for name in ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid")),
    *(f"s_axi_{name}" for name in ("bready", "araddr", "arprot", "arvalid", "rready")),
    *(f"m_axi_{name}" for name in ("arready", "rid", "rdata", "rresp", "rlast", "rvalid")),
    *(f"m_axi_{name}" for name in ("awready", "wready", "bid", "bresp", "bvalid")),
)


async def _reset(dut: Any) -> None:
    for name in _INPUTS:
        getattr(dut, name).value = 0
    dut.aresetn.value = 1
    Clock(dut.aclk, PERIOD, unit="ns").start()
    await Timer(1, unit="ns")
    dut.aresetn.value = 0
    for _ in range(3):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1


class _Host:
    """The accelerator's registers."""

    def __init__(self, dut: Any) -> None:
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.dut, self.port = dut, AxiLiteMaster(bus, dut.aclk, dut.aresetn, False)
        _hush(self.port)

    async def write(self, name: str, value: int) -> None:
        await self.port.write_dword(register(name).offset, value)

    async def read(self, name: str) -> int:
        return int(await self.port.read_dword(register(name).offset))

    async def run(self) -> float:
        """Run the program; return CPU seconds from the start to the interrupt."""
        start = time.process_time()
        await self.write("CONTROL", 1 << Control.START | 1 << Control.INTERRUPT_ENABLE)
        if not self.dut.interrupt.value:
            await RisingEdge(self.dut.interrupt)
        seconds = time.process_time() - start
        assert await self.read("STATUS") == 1 << Status.DONE
        return seconds

    async def rest(self) -> None:
        """Make the accelerator ready for another run."""
        await self.write("CONTROL", 1 << Control.RESET)
        while await self.read("STATUS"):
            pass


def _hush(model: Any) -> None:
    """Keep a bus model from describing every access."""
    for part in (model.write_if, model.read_if):
        part.log.setLevel("WARNING")


def _pause(memory: Any, share: float) -> None:
    """Let each channel of the memory hold back in a share of the cycles."""
    write, read = memory.write_if, memory.read_if
    channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
    for seed, channel in enumerate(channels):
        channel.set_pause_generator(_pauses(share, seed))


def _pauses(share: float, seed: int) -> Iterator[bool]:
    rng = random.Random(seed)
    while True:
        yield rng.random() < share


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def measure(dut: Any) -> None:
    """Run, compare the memory, and keep the shortest time."""
    with np.load(os.environ["BENCHMARK_CASE"]) as case:
        before, after = case["memory"].tobytes(), case["expected"].tobytes()
        registers = {name: int(case[name]) for name in case.files if name.isupper()}
    await _reset(dut)
    data = bytearray(before)
    bus = AxiBus.from_prefix(dut, "m_axi")
    memory = AxiRam(bus, dut.aclk, dut.aresetn, reset_active_level=False, mem=data)
    _hush(memory)
    host, results = _Host(dut), []
    for name, value in registers.items():
        await host.write(name, value)
    for share in json.loads(os.environ["BENCHMARK_PAUSES"]):
        if share:
            _pause(memory, share)
        seconds = []
        for _ in range(int(os.environ["BENCHMARK_RUNS"])):
            data[:] = before
            seconds.append(await host.run())
            assert data == after, "the memory differs from the golden model's"
            cycles = await host.read("CYCLES")
            await host.rest()
        results.append({"pauses": share, "cycles": cycles, "seconds": min(seconds)})
    Path(os.environ["BENCHMARK_RESULTS"]).write_text(json.dumps(results), encoding="utf-8")
