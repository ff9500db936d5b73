"""The host's side of the register port."""

import cocotb
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from shiftloom.isa.registers import register
from tests.rtl.memory import hold
from tests.support.stalls import sometimes

__all__ = ["Host"]


class Host:
    """Read and write registers by name; with ``stalls`` every channel pauses on its own."""

    def __init__(self, dut, prefix, clock, reset, *, stalls=0.0, reset_active_level=True):
        self.dut, self.prefix, self.clock = dut, prefix, clock
        bus = AxiLiteBus.from_prefix(dut, prefix)
        self.master = AxiLiteMaster(bus, clock, reset, reset_active_level=reset_active_level)
        write, read = self.master.write_if, self.master.read_if
        answers = write.b_channel, read.r_channel
        channels = write.aw_channel, write.w_channel, read.ar_channel, *answers
        for part in (write, read):
            part.log.setLevel("WARNING")
        for seed, channel in enumerate(channels):
            if stalls:
                channel.set_pause_generator(sometimes(stalls, seed))

    def monitor(self):
        """Begin to check that answers stay until they are taken."""
        for channel, fields in {"r": ("data", "resp"), "b": ("resp",)}.items():
            cocotb.start_soon(hold(self.dut, self.clock, f"{self.prefix}_{channel}", fields))

    async def read(self, name):
        """Return a register."""
        return await self.master.read_dword(register(name).offset)

    async def write(self, name, value):
        """Write a register."""
        await self.master.write_dword(register(name).offset, value)

    async def write_bytes(self, name, lane, data):
        """Write some bytes of a register."""
        await self.master.write(register(name).offset + lane, data)
