"""FrameSender: replies with flags, escapes and a CRC."""

from amaranth import Module, Mux, Signal
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from .frames import CRC_BYTES, ESCAPE, FLAG, FLIP

__all__ = ["FrameSender", "body_layout"]


def body_layout() -> data.StructLayout:
    """Return one byte of a frame's body."""
    return data.StructLayout({"byte": 8, "last": 1})


class FrameSender(wiring.Component):
    """Send the bytes of a body as a frame.

    Members
    -------
    i : In(stream.Signature(body_layout()))
        Bytes up to the last one.
    o : Out(stream.Signature(8))
        The frame.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(body_layout())), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = generator = crc.Processor(catalog.CRC32_ISO_HDLC(data_width=8))
        escaped = Signal()
        position = Signal(range(CRC_BYTES))
        byte, sent = Signal(8), Signal()
        special = (byte == FLAG) | (byte == ESCAPE)
        plain = Mux(escaped, byte ^ FLIP, Mux(special, ESCAPE, byte))
        moved = self.o.valid & self.o.ready
        m.d.comb += [generator.data.eq(byte), self.o.payload.eq(plain)]

        with m.FSM():
            with m.State("OPEN"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(self.i.valid)]
                m.d.comb += generator.start.eq(1)
                with m.If(moved):
                    m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += [byte.eq(self.i.p.byte), self.o.valid.eq(self.i.valid)]
                m.d.comb += [self.i.ready.eq(sent), generator.valid.eq(sent)]
                with m.If(sent & self.i.p.last):
                    m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += [byte.eq(generator.crc.word_select(position, 8)), self.o.valid.eq(1)]
                with m.If(sent):
                    m.d.sync += position.eq(position + 1)
                    with m.If(position == CRC_BYTES - 1):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(1)]
                with m.If(moved):
                    m.next = "OPEN"

        # Between the flags a byte has gone when it went as it is, or after its escape.
        m.d.comb += sent.eq(moved & (escaped | ~special))
        with m.If(moved):
            m.d.sync += escaped.eq(special & ~escaped)
        return m
