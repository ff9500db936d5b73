"""External memory of the benches: slow, failing, and strict with who reads and writes it."""

import random

import cocotb
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiSlave

from tests.support.stalls import sometimes

__all__ = ["Memory", "connect_memory", "hold", "monitor"]

PERIOD = 10
PAGE = 4096


class Memory:
    """Bytes; bad addresses answer with SLVERR, each access takes up to ``delay`` cycles."""

    def __init__(self, data, delay=0):
        self.data, self.delay, self.bad = bytearray(data), delay, range(0)
        self.random = random.Random(delay)

    async def read(self, address, length, **_):
        """Return bytes."""
        await self._access(address)
        return bytes(self.data[address : address + length])

    async def write(self, address, data, **_):
        """Change bytes."""
        await self._access(address)
        self.data[address : address + len(data)] = data

    async def _access(self, address):
        if cycles := self.random.randint(0, self.delay):
            await Timer(cycles * PERIOD, unit="ns")
        if address in self.bad:
            raise IndexError(address)


def connect_memory(dut, prefix, clock, reset, memory, *, stalls=0.0, reset_active_level=True):
    """Put memory behind an AXI port; with ``stalls`` each channel pauses on its own."""
    bus = AxiBus.from_prefix(dut, prefix)
    slave = AxiSlave(bus, clock, reset, memory, reset_active_level=reset_active_level)
    read, write = slave.read_if, slave.write_if
    channels = read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel
    for part in (read, write):
        part.log.setLevel("ERROR")
    for seed, channel in enumerate(channels):
        if stalls:
            channel.set_pause_generator(sometimes(stalls, seed))


async def hold(dut, clock, channel, fields):
    """Check for ever that what a channel offers stays until it is taken."""
    held = None
    while True:
        await RisingEdge(clock)
        valid, ready = (bool(dut[f"{channel}{name}"].value) for name in ("valid", "ready"))
        offer = [int(dut[f"{channel}{name}"].value) for name in fields] if valid else None
        assert held in (None, offer), f"{channel} changed its offer"
        held = None if ready else offer


async def monitor(dut, prefix, clock, config, bursts):
    """Check what goes to memory for ever; append each burst, ``(channel, address, beats)``."""
    cocotb.start_soon(hold(dut, clock, f"{prefix}_w", ("data", "strb", "last")))
    for channel in ("ar", "aw"):
        cocotb.start_soon(hold(dut, clock, f"{prefix}_{channel}", ("addr", "len")))
    while True:
        await RisingEdge(clock)
        for channel in ("ar", "aw"):
            port = f"{prefix}_{channel}"
            if dut[f"{port}valid"].value and dut[f"{port}ready"].value:
                address, beats = int(dut[f"{port}addr"].value), int(dut[f"{port}len"].value) + 1
                assert beats <= config.burst_beats
                assert address % config.bus_bytes == 0
                assert address % PAGE + beats * config.bus_bytes <= PAGE
                bursts.append((channel, address, beats))
