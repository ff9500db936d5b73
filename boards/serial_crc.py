"""SerialCrc: the CRC-32 of frames, one bit a cycle."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SerialCrc"]

#: CRC-32 of IEEE 802.3, reflected, and what the register holds after bytes and their CRC.
_POLYNOMIAL, _RESIDUE, _ONES = 0xEDB8_8320, 0xDEBB_20E3, 0xFFFF_FFFF

_BITS = 8


class SerialCrc(wiring.Component):
    """Divide bytes, the lowest bit first, or give the CRC of those before.

    A byte takes eight cycles: those of a serial line are farther apart than that.

    Members
    -------
    start : In(1)
        Pulse: begin anew.
    valid : In(1)
        Pulse: take eight bits from the next cycle on.
    shifts : Out(1)
        A bit is taken in this cycle.
    bit : In(1)
        The bit.
    gives : In(1)
        Give the CRC's next bits instead; these are not divided.
    crc_bit : Out(1)
        The CRC's next bit.
    match : Out(1)
        The bytes so far end with their CRC; a cycle late.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "valid": In(1),
                "shifts": Out(1),
                "bit": In(1),
                "gives": In(1),
                "crc_bit": Out(1),
                "match": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        position = Signal(range(_BITS))
        with m.If(self.shifts):
            m.d.sync += [position.eq(position + 1), self.shifts.eq(position != _BITS - 1)]
        with m.Elif(self.valid):
            m.d.sync += self.shifts.eq(1)

        rest = Signal(32, init=_ONES)
        divides = (rest[0] ^ self.bit) & ~self.gives
        with m.If(self.start):
            m.d.sync += rest.eq(_ONES)
        with m.Elif(self.shifts):
            m.d.sync += rest.eq((rest >> 1) ^ (divides.replicate(32) & _POLYNOMIAL))
        m.d.sync += self.match.eq(rest == _RESIDUE)
        m.d.comb += self.crc_bit.eq(~rest[0])
        return m
