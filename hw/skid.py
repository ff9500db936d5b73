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
        with m.If(~valid | self.o.ready):
            m.d.sync += [valid.eq(self.i.valid | spare_valid), spare_valid.eq(0), ready.eq(1)]
            with m.If(spare_valid):
                m.d.sync += payload.eq(spare)
            with m.Else():
                m.d.sync += payload.eq(self.i.payload)
        with m.Elif(~spare_valid):
            m.d.sync += [spare_valid.eq(self.i.valid), ready.eq(~self.i.valid)]
            m.d.sync += spare.eq(self.i.payload)
        return m
