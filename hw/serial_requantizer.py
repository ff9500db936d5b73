"""SerialRequantizer: both stages of requantization on one shifter, one lane after the other."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import Opcode
from ..isa.requantize import MAX_LEFT_SHIFT, Rounding
from .serial_fields import capture, instruction_word_layout

__all__ = ["SerialRequantizer", "scale_layout"]

#: Bits of a sum, and of what is rounded: one more than the limits have.
_SUM_BITS, _FLOOR_BITS = 32, 17


def scale_layout() -> data.StructLayout:
    """Return the second word of a lane's parameters."""
    return data.StructLayout({"shift": 5, "unused": 11, "addend": signed(16)})


class SerialRequantizer(wiring.Component):
    """Requantize sums, at most one in two cycles and none three cycles after another.

    Both stages pass the same shifter, rounding and limits: the first one, two and three cycles
    after ``start``, the second three cycles later.

    Parameters
    ----------
    config : Config
        Width of the bus.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions.
    start : In(1)
        A sum is there.
    value, bias : In(signed(32))
        Sum, and what is added to it.
    residual : In(8)
        Code to add between the stages, with ``start``.
    scale : In(scale_layout())
        One cycle after ``start``.
    code : Out(8)
        Result, ``latency`` cycles after ``start``, for two cycles.
    """

    #: Cycles from ``start`` to the code.
    latency = 7

    def __init__(self, config: Config) -> None:
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                "start": In(1),
                "value": In(signed(_SUM_BITS)),
                "bias": In(signed(_SUM_BITS)),
                "residual": In(8),
                "scale": In(scale_layout()),
                "code": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ages = [self.start]
        for age in range(1, self.latency):
            ages.append(Signal(name=f"age_{age}"))
            m.d.sync += ages[-1].eq(ages[-2])

        biased = Signal(signed(_SUM_BITS), reset_less=True)
        with m.If(self.start):
            m.d.sync += biased.eq(self.value + self.bias)
        between = Signal(signed(18), reset_less=True)  # the sum between the stages
        again = ages[4]
        amount = Mux(again, self._out_shift(m), self.scale.shift)
        value = Mux(again, Cat(Const(0, MAX_LEFT_SHIFT), between).as_signed(), biased)
        shifted = self._shift(m, value[:_SUM_BITS].as_signed(), amount)
        rounded = Signal(signed(_FLOOR_BITS + 1), reset_less=True)
        m.d.sync += rounded.eq(self._round(m, shifted))

        self._limit(m, rounded, ages, between, self._addend(m, ages))
        return m

    def _field(self, m, name, shape):
        register = Signal(shape, name=name, reset_less=True)
        capture(m, self.word, register, Opcode.VECTOR_REQUANTIZE, name)
        return register

    def _out_shift(self, m):
        """Return the second shift, counted from the largest left shift."""
        field, amount = self._field(m, "out_shift", signed(5)), Signal(5, reset_less=True)
        least = -MAX_LEFT_SHIFT
        m.d.sync += amount.eq(Mux(field < least, least, field) - least)
        return amount

    def _addend(self, m, ages):
        """Return what is added between the stages; it holds still until it is."""
        adds, unsigned = self._field(m, "residual", 1), self._field(m, "residual_unsigned", 1)
        shift = self._field(m, "residual_shift", 3)
        code, addend = Signal(8, reset_less=True), Signal(signed(18), reset_less=True)
        with m.If(ages[0]):
            m.d.sync += code.eq(self.residual)
        value = Cat(code, code[-1] & ~unsigned).as_signed()
        with m.If(ages[1]):
            m.d.sync += addend.eq(self.scale.addend + Mux(adds, value << shift, 0))
        return addend

    def _shift(self, m, value, amount):
        """Shift right; keep the highest dropped bit, and whether lower ones were set, below."""
        sticky, rest = Const(0, 1), Cat(Const(0, 1), value).as_signed()
        for bit in reversed(range(len(amount))):  # largest first: fewer levels to the sticky bit
            sticky |= amount[bit] & rest[: 1 << bit].any()
            rest = Mux(amount[bit], rest >> (1 << bit), rest)
        shifted = Signal(signed(len(value) + 2), reset_less=True)
        m.d.sync += shifted.eq(Cat(sticky, rest))
        return shifted

    def _round(self, m, shifted):
        """Return the floor of a shifted value or the integer above it, far beyond limits less."""
        rounding = self._field(m, "rounding", 2)
        sticky, half, wide = shifted[0], shifted[1], shifted[2:].as_signed()
        sign = wide[-1]
        fits = (wide[_FLOOR_BITS - 1 :] == sign.replicate(len(wide) - _FLOOR_BITS + 1)).bool()
        floor = Mux(fits, wide[:_FLOOR_BITS], Cat((~sign).replicate(_FLOOR_BITS - 1), sign))
        up = Array(
            {
                Rounding.HALF_EVEN: half & (sticky | wide[0]),
                Rounding.HALF_UP: half,
                Rounding.FLOOR: Const(0, 1),
                Rounding.HALF_AWAY: half & (sticky | ~sign),
            }[mode]
            for mode in Rounding
        )
        return floor.as_signed() + up[rounding]

    def _limit(self, m, value, ages, between, addend):
        """Keep a value within the limits of its stage, and add what comes between the stages.

        All three sums are made beside the comparison, which takes as long as they do.
        """
        out = ages[6]
        low = Mux(out, self._field(m, "out_low", signed(9)), self._field(m, "low", signed(16)))
        high = Mux(out, self._field(m, "out_high", signed(9)), self._field(m, "high", signed(16)))
        below, above = Signal(), Signal()
        m.d.comb += [below.eq(value < low), above.eq(value > high)]
        with m.If(ages[3]):
            sums = [(limit + addend)[: len(between)] for limit in (low, high, value)]
            m.d.sync += between.eq(Mux(below, sums[0], Mux(above, sums[1], sums[2])))
        with m.If(out):
            m.d.sync += self.code.eq(Mux(below, low, Mux(above, high, value)))
