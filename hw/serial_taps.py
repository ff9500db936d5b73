"""SerialTaps: the sum or maximum over a kernel, for one lane at a time."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.instructions import Opcode, VectorOperation
from .serial_fields import capture, instruction_word_layout

__all__ = ["SerialTaps"]

#: What a maximum is over nothing at all.
_NOTHING = -(1 << 30)


class SerialTaps(wiring.Component):
    """Multiply codes by taps and add, or take the largest code whose tap is not 0.

    Members
    -------
    word : In(instruction_word_layout())
        Words of instructions.
    valid, first : In(1)
        A code comes, the first of a kernel.
    inside : In(1)
        It lies inside the feature map.
    code, tap : In(8), In(signed(9))
        Code and tap, one cycle after ``valid``.
    total : Out(signed(32))
        Over the codes so far, ``latency`` cycles after ``valid``.
    """

    #: Cycles from ``valid`` to a total with that code.
    latency = 4

    def __init__(self) -> None:
        super().__init__(
            {
                "word": In(instruction_word_layout()),
                "valid": In(1),
                "first": In(1),
                "inside": In(1),
                "code": In(8),
                "tap": In(signed(9)),
                "total": Out(signed(32)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        maximum, unsigned = Signal(reset_less=True), Signal(reset_less=True)
        capture(m, self.word, maximum, Opcode.VECTOR_LOOPS, "operation")
        capture(m, self.word, unsigned, Opcode.VECTOR_LOOPS, "unsigned")
        assert VectorOperation.MAX == 1
        valids, firsts = [self.valid], [self.first]
        for stage in range(1, self.latency):
            valids.append(Signal(name=f"valid_{stage}"))
            firsts.append(Signal(name=f"first_{stage}", reset_less=True))
            m.d.sync += [valids[-1].eq(valids[-2]), firsts[-1].eq(firsts[-2])]

        inside = Signal(reset_less=True)
        value, factor = Signal(signed(9), reset_less=True), Signal(signed(9), reset_less=True)
        product = Signal(signed(18), reset_less=True)
        counts = [Signal(name=f"counts_{stage}", reset_less=True) for stage in (2, 3)]
        lowest = Mux(maximum & ~unsigned, -128, 0)
        code = Cat(self.code, self.code[-1] & ~unsigned).as_signed()
        m.d.sync += [
            inside.eq(self.inside),
            value.eq(Mux(inside, code, lowest)),
            factor.eq(Mux(maximum, 1, self.tap)),
            product.eq(value * factor),
            counts[0].eq(self.tap != 0),
            counts[1].eq(counts[0]),
        ]
        empty = self.total[31] & ~self.total[29]
        before = Mux(firsts[-1], Mux(maximum, _NOTHING, 0), self.total)
        larger = firsts[-1] | empty | (product[:9].as_signed() > self.total[:9].as_signed())
        with m.If(valids[-1]):
            with m.If(~maximum):
                m.d.sync += self.total.eq(before + product)
            with m.Elif(counts[1] & larger):
                m.d.sync += self.total.eq(product)
            with m.Elif(firsts[-1]):
                m.d.sync += self.total.eq(_NOTHING)
        return m
