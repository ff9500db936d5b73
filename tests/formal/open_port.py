"""An accelerator between arbitrary host and memory, for claims about its memory port."""

from amaranth import Assert, Module
from amaranth.hdl import Cover
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from shiftloom.hw.accelerator import Accelerator

from .axi_rules import address_rules
from .harness import holds, opened
from .inside import part

__all__ = ["OpenPort"]


class OpenPort(wiring.Component):
    """Claims that addresses and data wait unchanged, and that bursts are allowed.

    ``invariants`` says whether to claim what induction needs. Subclasses have ``claim`` for what
    else holds of the bus, given what is inside the accelerator and its machine.
    """

    def __init__(self, config, invariants=True):
        self.config, self.invariants = config, invariants
        self.dut = Accelerator(config)
        members = self.dut.signature.members
        super().__init__({name: members[name] for name in ("s_axi", "m_axi")})

    def elaborate(self, platform):
        m = Module()
        block = opened(m, "dut", self.dut, platform)
        connect(m, flipped(self.s_axi), self.dut.s_axi)
        connect(m, self.dut.m_axi, flipped(self.m_axi))
        bus = self.dut.m_axi
        for name in ("ar", "aw"):
            address_rules(m, getattr(bus, name), self.config, name)
        holds(m, bus.w, Assert, "w")
        for name in ("ar", "aw", "w"):
            m.d.comb += Cover(getattr(bus, name).valid & ~getattr(bus, name).ready, f"{name} waits")
        self.claim(m, bus, block, part(block, "machine"))
        return m
