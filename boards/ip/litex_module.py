"""LiteX module of a Shiftloom accelerator: registers on the bus, memory through it.

    from shiftloom_litex import Accelerator

    self.accelerator = Accelerator(platform)
    self.accelerator.add_to(self, origin=0x9000_0000)      # an uncached region

LiteX converts both AXI interfaces to the bus that the system has. A system with LiteDRAM and a
wide port lets the accelerator past the bus: ``memory`` is an ordinary ``AXIInterface``.
"""

from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect.axi import AXIInterface, AXILiteInterface
from migen import ClockSignal, Instance, ResetSignal, Signal

TOP = "shiftloom_base"
BUS_BITS = 128

#: The register port decodes so many bits of the address.
REGISTER_BITS = 7
REGION_BYTES = 4096

#: What the accelerator's ports carry by channel, handshakes left out; True if it drives them.
_LITE = {
    "aw": (False, ("addr", "prot")),
    "w": (False, ("data", "strb")),
    "b": (True, ("resp",)),
    "ar": (False, ("addr", "prot")),
    "r": (True, ("data", "resp")),
}
_ADDRESS = ("addr", "len", "size", "burst", "cache", "prot", "id")
_FULL = {
    "aw": (True, _ADDRESS),
    "w": (True, ("data", "strb", "last")),
    "b": (False, ("resp", "id")),
    "ar": (True, _ADDRESS),
    "r": (False, ("data", "resp", "last", "id")),
}


class Accelerator(LiteXModule):
    """The accelerator in the system's clock domain.

    ``control`` is the slave interface of its registers, ``memory`` its master interface, and
    ``interrupt`` is high when a run is over and interrupts are enabled.
    """

    def __init__(self, platform):
        self.control = AXILiteInterface(data_width=32, address_width=32)
        self.memory = AXIInterface(data_width=BUS_BITS, address_width=32, id_width=1)
        self.interrupt = Signal()
        self.specials += Instance(
            TOP,
            i_aclk=ClockSignal("sys"),
            i_aresetn=~ResetSignal("sys"),
            o_interrupt=self.interrupt,
            **_ports("s_axi", self.control, _LITE),
            **_ports("m_axi", self.memory, _FULL),
        )
        platform.add_source(str(Path(__file__).resolve().with_name(TOP + ".v")))

    def add_to(self, soc, name="accelerator", origin=None):
        """Put registers and memory on a system's bus."""
        region = SoCRegion(origin=origin, size=REGION_BYTES, cached=False)
        soc.bus.add_slave(name, self.control, region)
        soc.bus.add_master(name, self.memory)


def _ports(prefix, interface, channels):
    """Return the ports of one bus, as Instance takes them."""
    found = {}
    for name, (driven, fields) in channels.items():
        channel = getattr(interface, name)
        give, take = ("o", "i") if driven else ("i", "o")
        for field in fields:
            signal = getattr(channel, field)
            if prefix == "s_axi" and field == "addr":
                signal = signal[:REGISTER_BITS]
            found[f"{give}_{prefix}_{name}{field}"] = signal
        found[f"{give}_{prefix}_{name}valid"] = channel.valid
        found[f"{take}_{prefix}_{name}ready"] = channel.ready
    return found
