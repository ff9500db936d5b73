"""Widener: gathers narrow pieces of data into wide ones."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .narrower import piece_layout

__all__ = ["Widener", "gathered_layout"]


def gathered_layout(size: int, parts: int) -> data.StructLayout:
    """Return ``size`` bytes of several parts, which of them are there, and whether one is bad."""
    return data.StructLayout({"data": 8 * size, "present": parts, "error": 1})


class Widener(wiring.Component):
    """Gather parts into pieces, lowest bytes first.

    Takes one part each cycle. A part with the end mark completes its piece at once; the bytes of
    parts that are not there are undefined.

    Parameters
    ----------
    i_bytes, o_bytes : int
        Bytes of a part and of a piece, powers of two.
    pipeline : int
        1: takes the next part in the cycle after a piece has left, rather than with it.

    Members
    -------
    i : In(stream.Signature(piece_layout(i_bytes)))
        Parts.
    o : Out(stream.Signature(gathered_layout(o_bytes, o_bytes // i_bytes)))
        Pieces.
    """

    #: Cycles from the transfer of a piece's last part to the first cycle the piece is valid.
    latency = 1

    def __init__(self, i_bytes: int, o_bytes: int, pipeline: int = 0) -> None:
        self.pipeline = pipeline
        self.parts = o_bytes // i_bytes
        self.i_bytes = i_bytes
        super().__init__(
            {
                "i": In(stream.Signature(piece_layout(i_bytes))),
                "o": Out(stream.Signature(gathered_layout(o_bytes, self.parts))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = 8 * self.i_bytes
        lanes = [Signal(width, name=f"part_{n}", reset_less=True) for n in range(self.parts)]
        present = Signal(self.parts)
        error = Signal()
        position = Signal(range(self.parts))
        full = Signal()

        takes = self.i.valid & self.i.ready
        ends = self.i.p.last | (position == self.parts - 1)
        m.d.comb += [
            self.i.ready.eq(~full if self.pipeline else ~full | self.o.ready),
            self.o.valid.eq(full),
            self.o.p.present.eq(present),
            self.o.p.error.eq(error),
        ]
        m.d.comb += [
            self.o.p.data[n * width : (n + 1) * width].eq(lane) for n, lane in enumerate(lanes)
        ]

        is_first = position == 0
        with m.If(self.i.ready):
            m.d.sync += full.eq(takes & ends)
        with m.Elif(self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(takes):
            m.d.sync += [
                Array(lanes)[position].eq(self.i.p.data),
                present.eq(Mux(is_first, 0, present) | (1 << position)),
                error.eq((error & ~is_first) | self.i.p.error),
                position.eq(Mux(ends, 0, position + 1)),
            ]
        return m
