"""Narrower: cuts wide pieces of data into narrow ones."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Narrower", "piece_layout"]


def piece_layout(size: int) -> data.StructLayout:
    """Return ``size`` bytes, whether the bus reported an error for them, and an end mark."""
    return data.StructLayout({"data": 8 * size, "error": 1, "last": 1})


class Narrower(wiring.Component):
    """Give each piece in parts, lowest bytes first.

    Gives one part each cycle, without delay. An end mark goes to the piece's last part.

    Parameters
    ----------
    i_bytes, o_bytes : int
        Bytes of a piece and of a part, powers of two.

    Members
    -------
    i : In(stream.Signature(piece_layout(i_bytes)))
        Pieces.
    o : Out(stream.Signature(piece_layout(o_bytes)))
        Parts.
    drop : In(1)
        Nothing is wanted of this piece after the part that is offered.
    """

    def __init__(self, i_bytes: int, o_bytes: int) -> None:
        self.parts = i_bytes // o_bytes
        self.o_bytes = o_bytes
        super().__init__(
            {
                "i": In(stream.Signature(piece_layout(i_bytes))),
                "o": Out(stream.Signature(piece_layout(o_bytes))),
                "drop": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        position = Signal(range(self.parts))
        is_top = position == self.parts - 1
        ends = is_top | self.drop
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.p.data.eq(self.i.p.data.word_select(position, 8 * self.o_bytes)),
            self.o.p.error.eq(self.i.p.error),
            self.o.p.last.eq(self.i.p.last & is_top),
            self.i.ready.eq(self.o.ready & ends),
        ]
        if self.parts > 1:
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += position.eq(Mux(ends, 0, position + 1))
        return m
