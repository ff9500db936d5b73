"""FrameSender: replies with flags, escapes and a CRC."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .frames import CRC_BYTES, ESCAPE, FLAG, FLIP
from .serial_crc import SerialCrc

__all__ = ["FrameSender", "body_layout"]


def body_layout() -> data.StructLayout:
    """Return one byte of a frame's body."""
    return data.StructLayout({"byte": 8, "last": 1})


class FrameSender(wiring.Component):
    """Send the bytes of a body as a frame.

    A byte goes round bit by bit while the CRC takes it, then it is sent; afterwards the CRC's
    bytes take its place, one after the other. A byte takes thirteen cycles at least.

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
        m.submodules.crc = crc = SerialCrc()
        byte, last, gives = Signal(8, reset_less=True), Signal(), Signal()
        position = Signal(range(CRC_BYTES))
        special, flip = Signal(), Signal()
        over = gives & (position == CRC_BYTES - 1)
        m.d.sync += special.eq((byte == FLAG) | (byte == ESCAPE))
        m.d.comb += [
            crc.bit.eq(byte[0]),
            crc.gives.eq(gives),
            self.o.payload.eq(byte ^ Mux(flip, FLIP, 0)),
        ]
        with m.If(crc.shifts):
            m.d.sync += byte.eq(Cat(byte[1:], Mux(gives, crc.crc_bit, byte[0])))

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [gives.eq(0), position.eq(0)]
                with m.If(self.i.valid):
                    m.next = "OPEN"
            self._send(m, "OPEN", FLAG, "ASK")
            self._take(m, crc, byte, last)
            with m.State("ADD"), m.If(~crc.shifts):
                m.next = "LOOK"
            with m.State("LOOK"):  # whether it is special is known a cycle late
                m.d.sync += flip.eq(special)
                m.next = "SEND"
                with m.If(special):
                    m.next = "ESCAPE"
            self._send(m, "ESCAPE", ESCAPE, "SEND")
            with m.State("SEND"):
                m.d.comb += [self.o.valid.eq(1), crc.valid.eq(self.o.ready & last & ~over)]
                with m.If(self.o.ready):
                    m.d.sync += [flip.eq(0), gives.eq(last), position.eq(position + gives)]
                    m.next = "ASK"
                    with m.If(last):
                        m.next = "ADD"
                    with m.If(over):
                        m.next = "CLOSE"
            self._send(m, "CLOSE", FLAG, "IDLE")
        return m

    def _take(self, m, crc, byte, last):
        """Take a byte of the body; that it can be taken is a register."""
        with m.State("ASK"):
            m.d.sync += self.i.ready.eq(1)
            m.next = "TAKE"
        with m.State("TAKE"):
            m.d.comb += crc.valid.eq(self.i.valid)
            m.d.sync += [last.eq(self.i.p.last), byte.eq(self.i.p.byte)]
            with m.If(self.i.valid):
                m.d.sync += self.i.ready.eq(0)
                m.next = "ADD"

    def _send(self, m, state, code, following):
        """Send a byte that belongs to the frame alone."""
        with m.State(state):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(code)]
            with m.If(self.o.ready):
                m.next = following
