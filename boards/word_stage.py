"""WordStage: a register stage of a word bus, so that no path leads through it to a memory."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .word_bus import word_bus_signature

__all__ = ["WordStage"]


class WordStage(wiring.Component):
    """Pass an access on in the cycle after it is asked for, and its answer at once.

    The host's words are few, and what they are made of lies far apart: the frame that holds them,
    and the memory or the registers that they are for.

    Members
    -------
    bus : In(word_bus_signature())
        Accesses of the host.
    o : Out(word_bus_signature())
        The same for what it reaches.
    """

    #: Cycles that an access takes longer.
    latency = 1

    def __init__(self) -> None:
        super().__init__({"bus": In(word_bus_signature()), "o": Out(word_bus_signature())})

    def elaborate(self, platform):
        m = Module()
        bus, o = self.bus, self.o
        asks = Signal()
        for name in ("write", "addr", "write_data"):
            held = Signal.like(getattr(o, name), name=name, reset_less=True)
            m.d.sync += held.eq(getattr(bus, name))
            m.d.comb += getattr(o, name).eq(held)
        m.d.sync += asks.eq(bus.valid & ~bus.ready)
        m.d.comb += [o.valid.eq(asks), bus.ready.eq(asks & o.ready), bus.read_data.eq(o.read_data)]
        return m
