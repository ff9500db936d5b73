"""BitColumn: the dot product that makes one output channel of the bit array."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from .and_adder import AndAdder
from .bit_count import BitCount
from .choice_adder import ChoiceAdder
from .mac_column import array_latency

__all__ = ["BitColumn", "bit_finish_layout", "bit_ones_layout", "bit_total_width"]


def bit_finish_layout() -> data.StructLayout:
    """Return what becomes of a column's sum; what is subtracted comes one too small."""
    return data.StructLayout({"nothing": 1, "negative": 1, "doubled": 1})


def bit_ones_layout(config: Config) -> data.StructLayout:
    """Return how many weights are 1: all but the last, and the last, which is a carry if it is 0.

    To subtract them is to add ``~count + no_last``. Both forms of the last come, since a carry in
    needs both.
    """
    return data.StructLayout({"count": exact_log2(config.bit_lanes), "last": 1, "no_last": 1})


def bit_total_width(config: Config) -> int:
    """Return the bits of what a bitwise tile adds to an accumulator: from -lanes to +lanes."""
    return exact_log2(config.bit_lanes) + 2


class BitColumn(wiring.Component):
    """Count operand bits whose weight is set, and make a dot product with a sign of the count.

    Holds the weights in use and the next ones, and likewise how many of them are 1. The parts of
    a sum come when the pipeline needs them: ``bipolar`` and ``shared`` one cycle after the count,
    ``doubled`` two and ``finish`` three cycles after it; ``swap_ones`` with the first count of a
    new tile.

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
        With ``pipeline``, of the same cycle: operands then arrive a cycle earlier, and products
        have a register.
    ones, load_ones, swap_ones : In
        Likewise for the number of weights that are 1, less the last of them.
    bipolar : In(1)
        The operands are: subtract that number.
    shared : In(signed(...))
        What all columns add.
    doubled : In(1)
        What is counted counts twice in the sum.
    finish : In(bit_finish_layout())
        What becomes of the sum.
    total : Out(signed(bit_total_width(config)))
        Result, or 0 if that is to be nothing.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        lanes = config.bit_lanes
        super().__init__(
            {
                "operands": In(lanes),
                "passed_operands": Out(lanes),
                "weights": In(lanes),
                "load": In(1),
                "swap": In(1),
                "ones": In(bit_ones_layout(config)),
                "load_ones": In(1),
                "swap_ones": In(1),
                "bipolar": In(1),
                "shared": In(signed(bit_total_width(config))),
                "doubled": In(1),
                "finish": In(bit_finish_layout()),
                "total": Out(signed(bit_total_width(config))),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from the operands to their total."""
        return BitCount.latency(config.bit_lanes, bool(config.pipeline)) + 4 + config.pipeline

    def elaborate(self, platform):
        m = Module()
        lanes = self.config.bit_lanes
        following, weights = (Signal(lanes, name=n, reset_less=True) for n in ("next", "present"))
        m.submodules.counter = counter = BitCount(lanes, bool(self.config.pipeline))
        passed = Signal(lanes, reset_less=True)  # a reset would go to all of them
        m.d.sync += passed.eq(self.operands)
        m.d.comb += self.passed_operands.eq(passed)
        with m.If(self.load):
            m.d.sync += following.eq(self.weights)
        with m.If(self.swap):
            m.d.sync += weights.eq(following)
        if self.config.pipeline:
            # An adder's table then reads two bits of each lane less: so many wires meet in a column
            # that the router finds no way for some of them otherwise.
            products = Signal(lanes, reset_less=True)
            used = Mux(self.swap, self.operands & following, self.operands & weights)
            m.d.sync += products.eq(used)
            m.d.comb += [counter.operands.eq(products), counter.weights.eq(~0)]
        else:
            m.d.comb += [counter.operands.eq(self.operands), counter.weights.eq(weights)]

        sums, finish = self._sum(m, counter), self.finish
        signed_sums = sums ^ finish.negative.replicate(len(sums))
        total = Signal.like(self.total, name="dot_product", reset_less=True)
        m.d.sync += total.eq(Mux(finish.doubled, signed_sums << 1, signed_sums))
        with m.If(finish.nothing):
            m.d.sync += total.eq(0)
        waits = array_latency(self.config) - self.latency(self.config)
        for stage in range(waits):
            later = Signal.like(total, name=f"total_{stage}", reset_less=True)
            m.d.sync += later.eq(total)
            total = later
        m.d.comb += self.total.eq(total)
        return m

    def _sum(self, m, counter):
        """Return the count, or twice the count, and what goes with it."""
        width = bit_total_width(self.config)
        ones = self._ones(m)
        m.submodules.own = own = AndAdder(width + 1, inverted=True)
        added = Signal(width, reset_less=True)
        m.d.comb += [
            own.a.eq(Cat(ones.no_last, self.shared)),  # the lowest position is a carry in
            own.b.eq(Cat(self.bipolar, ~Const(0, width))),
            own.c.eq(Cat(ones.last, ones.count)),
            own.d.eq(self.bipolar.replicate(width + 1)),
        ]
        m.d.sync += added.eq(own.total[1:])
        counted = Cat(counter.last, counter.count)
        for stage in range(2):
            later = Signal.like(counted, name=f"counted_{stage}")
            m.d.sync += later.eq(counted)
            counted = later

        # The last lane is the carry into the sum's lowest bit, and there once more if it is to
        # count twice.
        m.submodules.adder = adder = ChoiceAdder(width + 1)
        m.d.comb += [
            adder.a.eq(Cat(counted[0], added)),
            adder.b.eq(self.doubled.replicate(width + 1)),
            adder.c.eq(Cat(counted[0], counted)),
            adder.d.eq(counted),
        ]
        result = Signal(signed(width), reset_less=True)
        m.d.sync += result.eq(adder.total[1:])
        return result

    def _ones(self, m):
        """Return how many of the weights in use are 1."""
        following, present = (
            Signal.like(self.ones, name=n, reset_less=True) for n in ("next_ones", "present_ones")
        )
        with m.If(self.load_ones):
            m.d.sync += following.eq(self.ones)
        with m.If(self.swap_ones):
            m.d.sync += present.eq(following)
        return present
