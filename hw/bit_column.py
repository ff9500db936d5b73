"""BitColumn: the dot product that makes one output channel of the bit array."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from .bit_count import BitCount

__all__ = ["BitColumn", "bit_total_width"]

#: Largest left shift.
_SHIFT = 7


def bit_total_width(config: Config) -> int:
    """Return the bits of what a bitwise tile adds to an accumulator."""
    return _sum_width(config) + _SHIFT


def _sum_width(config):
    """Return the bits of a dot product: of -lanes to lanes."""
    return exact_log2(config.bit_lanes) + 2


class BitColumn(wiring.Component):
    """Count operand bits whose weight is set, and make a signed, shifted sum of the count.

    Holds the weights in use and the next ones, and likewise how many of them are 1. The parts of
    a sum come when the pipeline needs them: ``scale`` with the count, ``shared`` one cycle and
    ``finish`` two cycles after it; ``swap_ones`` one cycle before the first count of a new tile.

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
        Likewise for the number of weights that are 1.
    scale : In(data.StructLayout({"bipolar_inputs": 1, "bipolar_weights": 1}))
        What bits mean.
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
        scale = data.StructLayout({"bipolar_inputs": 1, "bipolar_weights": 1})
        finish = data.StructLayout({"valid": 1, "shift": 3, "negative": 1})
        super().__init__(
            {
                "operands": In(lanes),
                "passed_operands": Out(lanes),
                "weights": In(lanes),
                "load": In(1),
                "swap": In(1),
                "ones": In(exact_log2(lanes) + 1),
                "load_ones": In(1),
                "swap_ones": In(1),
                "scale": In(scale),
                "shared": In(signed(_sum_width(config))),
                "finish": In(finish),
                "total": Out(signed(bit_total_width(config))),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from the operands to their total."""
        return BitCount.latency(config.bit_lanes) + 3

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

        width = _sum_width(self.config)
        both = self.scale.bipolar_inputs & self.scale.bipolar_weights
        one = self.scale.bipolar_inputs ^ self.scale.bipolar_weights
        count = Signal(width)
        m.d.comb += count.eq(counter.count)
        scaled, sums = (Signal(width, name=n, reset_less=True) for n in ("scaled", "sums"))
        m.d.sync += [
            scaled.eq(Mux(both, count << 2, Mux(one, count << 1, count))),
            sums.eq(scaled + self.shared - self._own(m)),
        ]
        value = Signal(signed(width))
        m.d.comb += value.eq(sums ^ self.finish.negative.replicate(width))
        shifted = Signal(signed(bit_total_width(self.config)), reset_less=True)
        m.d.sync += shifted.eq(Mux(self.finish.valid, value << self.finish.shift, 0))
        total = shifted
        for stage in range(self.config.rows + 1 - self.latency(self.config)):
            later = Signal.like(total, name=f"total_{stage}", reset_less=True)
            m.d.sync += later.eq(total)
            total = later
        m.d.comb += self.total.eq(total)
        return m

    def _own(self, m):
        """Return what the weights' ones take from a sum, when the count has been scaled."""
        following, present = (
            Signal.like(self.ones, name=n, reset_less=True) for n in ("next_ones", "present_ones")
        )
        with m.If(self.load_ones):
            m.d.sync += following.eq(self.ones)
        with m.If(self.swap_ones):
            m.d.sync += present.eq(following)
        own = Signal(_sum_width(self.config), reset_less=True)
        doubled = present << self.scale.bipolar_weights
        m.d.sync += own.eq(Mux(self.scale.bipolar_inputs, doubled, 0))
        return own
