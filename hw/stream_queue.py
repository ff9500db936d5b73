"""StreamQueue: a FIFO of any shape between two streams."""

from amaranth import Module
from amaranth.hdl import Shape
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamQueue"]


class StreamQueue(wiring.Component):
    """Keep payloads in order.

    Takes and gives one payload each cycle. A payload that enters an empty queue leaves it two
    cycles later.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        Payloads that it holds, at least 3.

    Members
    -------
    i : In(stream.Signature(shape))
        Payloads in.
    o : Out(stream.Signature(shape))
        Payloads out.
    empty : Out(1)
        Nothing is inside.
    """

    def __init__(self, shape, depth: int) -> None:
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = Shape.cast(self.shape).width
        m.submodules.storage = storage = fifo.SyncFIFOBuffered(width=width, depth=self.depth)
        m.d.comb += [
            storage.w_data.eq(self.i.payload),
            storage.w_en.eq(self.i.valid),
            self.i.ready.eq(storage.w_rdy),
            self.o.payload.eq(storage.r_data),
            self.o.valid.eq(storage.r_rdy),
            storage.r_en.eq(self.o.ready),
            self.empty.eq(storage.level == 0),
        ]
        return m
