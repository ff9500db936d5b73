"""BitColumn: the dot product that makes one output channel of the bit array."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from .and_adder import AndAdder
from .bit_count import BitCount

__all__ = ["BitColumn", "bit_total_width"]

#: Largest left shift.
_SHIFT = 7


def bit_total_width(config: Config) -> int:
    """Return the bits of what a bitwise tile adds to an accumulator."""
    return _sum_width(config) + _SHIFT - 1


def _sum_width(config):
    """Return the bits of what is shifted: -lanes to 2 * lanes."""
    return exact_log2(config.bit_lanes) + 3


class BitColumn(wiring.Component):
    """Count operand bits whose weight is set, and make a signed, shifted sum of the count.

    Holds the weights in use and the next ones, and likewise how many of them are 1. The parts of
    a sum come when the pipeline needs them: ``bipolar`` and ``shared`` one cycle after the count,
    ``finish`` three cycles after it; ``swap_ones`` with the first count of a new tile.

    Parameters
    ----------
    config : Config
        Gives the lanes.

    Members
    -------
    operands : In(config.bit_lanes)
        From the column on the left.
    passed_operands : Out(config.bit_lanes)
        To the column on the right, one cycle later.
    weights, load, swap : In
        Next weights; take them; put the next ones in use for the operand of the following cycle.
    ones, load_ones, swap_ones : In
        Likewise for the number of weights that are 1, as what it adds: negative.
    bipolar : In(1)
        The operands are: add that number.
    shared : In(signed(...))
        What all columns add.
    finish : In(data.StructLayout({"valid": 1, "shift": 3, "negative": 1}))
        What becomes of the sum; what is subtracted comes one too small, and is inverted.
    total : Out(signed(bit_total_width(config)))
        Result; 0 without ``valid``.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        lanes = config.bit_lanes
        finish = data.StructLayout({"valid": 1, "shift": 3, "negative": 1})
        super().__init__(
            {
                "operands": In(lanes),
                "passed_operands": Out(lanes),
                "weights": In(lanes),
                "load": In(1),
                "swap": In(1),
                "ones": In(_sum_width(config)),
                "load_ones": In(1),
                "swap_ones": In(1),
                "bipolar": In(1),
                "shared": In(signed(_sum_width(config))),
                "finish": In(finish),
                "total": Out(signed(bit_total_width(config))),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from the operands to their total."""
        return BitCount.latency(config.bit_lanes) + 4

    def elaborate(self, platform):
        m = Module()
        lanes = self.config.bit_lanes
        following, weights = (Signal(lanes, name=n, reset_less=True) for n in ("next", "present"))
        m.submodules.counter = counter = BitCount(lanes)
        m.d.sync += self.passed_operands.eq(self.operands)
        with m.If(self.load):
            m.d.sync += following.eq(self.weights)
        with m.If(self.swap):
            m.d.sync += weights.eq(following)
        m.d.comb += [counter.operands.eq(self.operands), counter.weights.eq(weights)]

        sums = self._sum(m, counter)
        inverted = Signal.like(sums)
        m.d.comb += inverted.eq(sums ^ self.finish.negative.replicate(len(sums)))
        shifted = Signal(signed(bit_total_width(self.config)), reset_less=True)
        moved = (inverted << self.finish.shift) >> 1
        m.d.sync += shifted.eq(Mux(self.finish.valid, moved, 0))
        total = shifted
        for stage in range(self.config.rows + 1 - self.latency(self.config)):
            later = Signal.like(total, name=f"total_{stage}", reset_less=True)
            m.d.sync += later.eq(total)
            total = later
        m.d.comb += self.total.eq(total)
        return m

    def _sum(self, m, counter):
        """Return twice the count and what goes with it."""
        width = _sum_width(self.config)
        ones, added = Const(-1, width), Signal(signed(width), reset_less=True)
        m.submodules.own = own = AndAdder(width)
        m.d.comb += [own.a.eq(self.shared), own.b.eq(ones)]
        m.d.comb += [own.c.eq(self._ones(m)), own.d.eq(self.bipolar.replicate(width))]
        m.d.sync += added.eq(own.total)
        count, last = counter.count, counter.last
        for stage in range(2):
            later, later_last = (
                Signal.like(count, name=f"count_{stage}"),
                Signal(name=f"last_{stage}"),
            )
            m.d.sync += [later.eq(count), later_last.eq(last)]
            count, last = later, later_last

        # The last lane is the carry of a sum whose lowest bit is that of what is added.
        m.submodules.adder = adder = AndAdder(width)
        m.d.comb += [adder.b.eq(ones), adder.d.eq(ones)]
        m.d.comb += [adder.a.eq(Cat(last, count)), adder.c.eq(Cat(last, added[1:]))]
        result = Signal(signed(width), reset_less=True)
        m.d.sync += result.eq(Cat(added[0], adder.total[1:]))
        return result

    def _ones(self, m):
        """Return what the weights in use add if the operands are bipolar."""
        following, present = (
            Signal.like(self.ones, name=n, reset_less=True) for n in ("next_ones", "present_ones")
        )
        with m.If(self.load_ones):
            m.d.sync += following.eq(self.ones)
        with m.If(self.swap_ones):
            m.d.sync += present.eq(following)
        return present
