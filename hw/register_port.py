"""RegisterPort: AXI4-Lite on one side, one register access at a time on the other."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .axi import LITE_ADDRESS_BITS, LITE_DATA_BITS, axi_lite_signature

__all__ = ["NUMBER_BITS", "RegisterPort", "register_write_layout"]

_BYTE_BITS = 2

#: Bits of a register's number.
NUMBER_BITS = LITE_ADDRESS_BITS - _BYTE_BITS


def register_write_layout() -> data.StructLayout:
    """Return one write: a pulse, the register's number, the word and its byte strobes."""
    return data.StructLayout(
        {
            "valid": 1,
            "number": NUMBER_BITS,
            "data": LITE_DATA_BITS,
            "strobe": LITE_DATA_BITS // 8,
        }
    )


class RegisterPort(wiring.Component):
    """Answer AXI4-Lite accesses, always with OKAY.

    No path leads from the bus to the bus. A write takes effect when address and data are both
    there; an access takes three cycles. What the bus asks for holds still until it is taken, so
    that numbers, data and strobes are there in the cycle before the access as well.

    Members
    -------
    s_axi : In(axi_lite_signature())
        The bus.
    write : Out(register_write_layout())
        The write that takes place in this cycle.
    read_number : Out(…)
        Number of the register that is read.
    read_data : In(LITE_DATA_BITS)
        Its value, in the same cycle.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "s_axi": In(axi_lite_signature()),
                "write": Out(register_write_layout()),
                "read_number": Out(NUMBER_BITS),
                "read_data": In(LITE_DATA_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        aw, w, b, ar, r = (getattr(self.s_axi, name) for name in ("aw", "w", "b", "ar", "r"))

        writes = Signal()
        answers = Signal()
        m.d.sync += writes.eq(aw.valid & w.valid & ~writes & ~answers)
        m.d.comb += [
            aw.ready.eq(writes),
            w.ready.eq(writes),
            b.valid.eq(answers),
            self.write.valid.eq(writes),
            self.write.number.eq(aw.p.addr[_BYTE_BITS:]),
            self.write.data.eq(w.p.data),
            self.write.strobe.eq(w.p.strb),
        ]
        m.d.sync += answers.eq(writes | (answers & ~b.ready))

        reads = Signal()
        returns = Signal()
        value = Signal(LITE_DATA_BITS, reset_less=True)
        m.d.sync += reads.eq(ar.valid & ~reads & ~returns)
        m.d.comb += [
            ar.ready.eq(reads),
            r.valid.eq(returns),
            r.p.data.eq(value),
            self.read_number.eq(ar.p.addr[_BYTE_BITS:]),
        ]
        m.d.sync += returns.eq(reads | (returns & ~r.ready))
        with m.If(reads):
            m.d.sync += value.eq(self.read_data)
        return m
