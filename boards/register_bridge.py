"""RegisterBridge: words become accesses to AXI4-Lite registers."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..hw.axi import axi_lite_signature
from .word_bus import word_bus_signature

__all__ = ["RegisterBridge"]


class RegisterBridge(wiring.Component):
    """Read and write registers, one at a time.

    Members
    -------
    bus : In(word_bus_signature())
        From the host link.
    s_axi : Out(axi_lite_signature())
        To the registers.
    """

    def __init__(self) -> None:
        super().__init__({"bus": In(word_bus_signature()), "s_axi": Out(axi_lite_signature())})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        aw, w, b, ar, r = (getattr(self.s_axi, name) for name in ("aw", "w", "b", "ar", "r"))
        addressed, given = Signal(), Signal()  # of this access, in earlier cycles
        writes, reads = bus.valid & bus.write, bus.valid & ~bus.write
        m.d.comb += [
            aw.valid.eq(writes & ~addressed),
            aw.p.addr.eq(bus.addr << 2),
            w.valid.eq(writes & ~given),
            w.p.data.eq(bus.write_data),
            w.p.strb.eq(~0),
            b.ready.eq(writes),
            ar.valid.eq(reads & ~addressed),
            ar.p.addr.eq(bus.addr << 2),
            r.ready.eq(reads),
            bus.read_data.eq(r.p.data),
            bus.ready.eq((writes & b.valid) | (reads & r.valid)),
        ]
        with m.If(bus.ready):
            m.d.sync += [addressed.eq(0), given.eq(0)]
        with m.Else():
            with m.If((aw.valid & aw.ready) | (ar.valid & ar.ready)):
                m.d.sync += addressed.eq(1)
            with m.If(w.valid & w.ready):
                m.d.sync += given.eq(1)
        return m
