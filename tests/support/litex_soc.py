"""Writes the Verilog of a LiteX system with an accelerator: ``python litex_soc.py FOLDER BUS``.

The folder holds the LiteX module, and the memory's first contents. The host is outside: it drives
the ports ``host_*``. Runs in a process of its own, for LiteX warns, keeps state and knows no mercy
with names.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect.axi import AXILiteInterface
from litex_addresses import MEMORY, REGISTERS
from migen import ClockDomain

_HOST = AXILiteInterface(data_width=32, address_width=32)


def _pads():
    ((_, _, *signals),) = _HOST.get_ios("host")
    return [
        ("sys_clk", 0, Pins(1)),
        ("sys_rst", 0, Pins(1)),
        ("interrupt", 0, Pins(1)),
        ("host", 0, *(Subsignal(s.name, s.constraints[0]) for s in signals)),
    ]


class System(SoCMini):
    """A bus with a host, a memory and an accelerator."""

    def __init__(self, folder, bus, accelerator):
        platform = SimPlatform("SIM", _pads())
        super().__init__(platform, clk_freq=1_000_000, bus_standard=bus)
        self.cd_sys = ClockDomain()
        clock, reset = platform.request("sys_clk"), platform.request("sys_rst")
        self.comb += [self.cd_sys.clk.eq(clock), self.cd_sys.rst.eq(reset)]
        data = (folder / "memory.bin").read_bytes()
        words = [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]
        self.add_ram("memory", MEMORY, len(data), contents=words)
        self.accelerator = accelerator(platform)
        self.accelerator.add_to(self, origin=REGISTERS)
        self.comb += platform.request("interrupt").eq(self.accelerator.interrupt)
        self.comb += _HOST.connect_to_pads(platform.request("host"), mode="slave")
        self.bus.add_master("host", _HOST)


def main(folder, bus):
    """Write ``soc.v`` and the files that it reads."""
    sys.path.insert(0, str(folder))
    accelerator = import_module("shiftloom_litex").Accelerator
    os.chdir(folder)
    system = System(folder, bus, accelerator)
    system.finalize()
    system.platform.get_verilog(system, name="soc").write("soc.v")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
