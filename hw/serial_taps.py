"""SerialTaps: the sum or maximum over a kernel, for one lane at a time."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import Opcode, VectorOperation
from .serial_fields import capture, instruction_word_layout

__all__ = ["SerialTaps"]

#: What a maximum is over nothing at all.
_NOTHING = -(1 << 30)


class SerialTaps(wiring.Component):
    """Add codes times taps, or take the largest code whose tap is not 0.

    The array's first two multipliers multiply. Taps have nine bits: the one multiplier takes the
    lower eight as a signed byte, the other what is missing of the tap, in units of 256. They see
    unsigned codes less 128, so 128 times what they multiply by is added.

    A kernel's first code comes two cycles after the last of the one before, or later.

    Parameters
    ----------
    config : Config
        Width of the bus.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions.
    valid, first : In(1)
        A code comes, the first of a kernel.
    tap : In(signed(9))
        Its tap, one cycle after ``valid``.
    factors, load : Out(data.ArrayLayout(signed(8), 2)), Out(1)
        What the code is multiplied by; it comes a cycle later.
    addends : Out(data.ArrayLayout(signed(16), 2))
        What is added, a cycle after ``factors``.
    products : In(data.ArrayLayout(signed(16), 2))
        Two cycles after that.
    total : Out(signed(32))
        Over the codes so far, ``latency`` cycles after ``valid``.
    """

    #: Cycles from ``valid`` to a total with that code.
    latency = 6

    def __init__(self, config: Config) -> None:
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                "valid": In(1),
                "first": In(1),
                "tap": In(signed(9)),
                "factors": Out(data.ArrayLayout(signed(8), 2)),
                "load": Out(1),
                "addends": Out(data.ArrayLayout(signed(16), 2)),
                "products": In(data.ArrayLayout(signed(16), 2)),
                "total": Out(signed(32)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        maximum, unsigned = Signal(reset_less=True), Signal(reset_less=True)
        capture(m, self.word, maximum, Opcode.VECTOR_LOOPS, "operation")
        capture(m, self.word, unsigned, Opcode.VECTOR_LOOPS, "unsigned")
        assert VectorOperation.MAX == 1

        low, high = self.tap[7], self.tap[8]
        missing = Cat(low ^ high, (high & ~low).replicate(7)).as_signed()  # low - high
        m.d.comb += [
            self.factors[0].eq(Mux(maximum, 1, self.tap[:8])),
            self.factors[1].eq(Mux(maximum, 0, missing)),
        ]
        held, adds = Signal.like(self.factors, reset_less=True), Signal()
        m.d.sync += [held.eq(self.factors), adds.eq(unsigned & self.load)]
        for addend, factor in zip(self.addends, held, strict=True):
            m.d.comb += addend.eq(Mux(adds, factor << 7, 0))

        step = data.StructLayout({"valid": 1, "first": 1, "counts": 1})
        now = Signal(step, name="step_0")
        m.d.comb += [now.valid.eq(self.valid), now.first.eq(self.first)]
        for stage in range(1, self.latency):
            before, now = now, Signal(step, name=f"step_{stage}")
            m.d.sync += now.eq(before)
            if stage == 1:
                m.d.comb += self.load.eq(now.valid)
            if stage == 2:
                m.d.sync += now.counts.eq(self.tap != 0)
        self._take(m, before.valid & before.first, now, maximum)
        return m

    def _take(self, m, clears, step, maximum):
        """Add a product to the total, or let a larger code take its place.

        The total is cleared before, so that one lookup table beside each carry chooses.
        """
        product = Signal(signed(18), reset_less=True)
        m.d.sync += product.eq(self.products[0] + (self.products[1] << 8))
        empty = self.total[31] & ~self.total[29]
        larger = empty | (product[:9].as_signed() > self.total[:9].as_signed())
        with m.If(clears):
            m.d.sync += self.total.eq(Mux(maximum, _NOTHING, 0))
        with m.Elif(step.valid & (~maximum | (step.counts & larger))):
            m.d.sync += self.total.eq(Mux(maximum, product, self.total + product))
