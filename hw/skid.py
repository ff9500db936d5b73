"""Skid: a register stage that cuts a stream's paths in both directions."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skid"]


class Skid(wiring.Component):
    """Delay a stream by one cycle; no path leads through it in either direction.

    Takes one payload each cycle; holds two when its consumer stalls.

    Parameters
    ----------
    shape : ShapeLike
        Payload.

    Members
    -------
    i : In(stream.Signature(shape))
        Payloads in.
    o : Out(stream.Signature(shape))
        Payloads out.
    """

    #: Cycles from the transfer on ``i`` to the first cycle the payload is valid on ``o``.
    latency = 1

    def __init__(self, shape) -> None:
        self.shape = shape
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))},
        )

    def elaborate(self, platform):
        m = Module()
        valid = Signal()
        ready = Signal(init=1)
        payload = Signal(self.shape, reset_less=True)
        spare_valid = Signal()  # ~ready, which has a register of its own: both go far
        spare = Signal(self.shape, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(ready),
            self.o.valid.eq(valid),
            self.o.payload.eq(payload),
        ]
        # Who gives and who takes is known late: the three bits are functions of it at once, not
        # enabled or cleared by it, which is one step more.
        stays, more = valid & ~self.o.ready, self.i.valid | spare_valid
        m.d.sync += [
            valid.eq(stays | more),
            spare_valid.eq(stays & more),
            ready.eq(~(stays & more)),
        ]
        with m.If(~stays):
            with m.If(spare_valid):
                m.d.sync += payload.eq(spare)
            with m.Else():
                m.d.sync += payload.eq(self.i.payload)
        with m.If(ready):
            m.d.sync += spare.eq(self.i.payload)
        return m
