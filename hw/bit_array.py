"""BitArray: dot products of whole words of bits, one word and all columns each cycle."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from .bit_column import BitColumn, bit_total_width
from .bit_count import BitCount

__all__ = ["BitArray", "bit_control_layout", "bit_load_layout"]


def bit_control_layout(config: Config) -> data.StructLayout:
    """Return what says how a word of operand bits counts."""
    return data.StructLayout(
        {
            "valid": 1,  # for the bit array, and not padding
            "bipolar_inputs": 1,
            "bipolar_weights": 1,
            "shift": 3,
            "negative": 1,
            "lanes": range(config.bit_lanes + 1),  # that count
        }
    )


def bit_load_layout(config: Config) -> data.StructLayout:
    """Return what brings the weights of one column."""
    return data.StructLayout(
        {"valid": 1, "column": range(config.columns), "weights": 8 * config.word_bytes}
    )


class BitArray(wiring.Component):
    """Carry out bitwise tiles, exactly as :func:`~shiftloom.isa.bitwise.bit_dot` says.

    Operands travel from column to column, and swaps with them; loads come in the order of columns.
    So it may be loaded, swapped and read at the same times as the
    :class:`~shiftloom.hw.mac_array.MacArray` beside it: a word of weights takes the place of a row,
    and totals come in the same cycles.

    Parameters
    ----------
    config : Config
        Lanes and columns.

    Members
    -------
    operands : In(config.bit_lanes)
        Bits; those that do not count are 0.
    control : In(bit_control_layout(config))
        Comes with them.
    swap : In(1)
        The loaded tile is for the operands of the next cycle and after.
    load : In(bit_load_layout(config))
        Weights of one column of the next tile.
    totals : Out(data.ArrayLayout(signed(bit_total_width(config)), config.columns))
        Column ``c`` gives its result, or 0 without ``valid``, ``latency + c`` cycles after the
        operands.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        totals = data.ArrayLayout(signed(bit_total_width(config)), config.columns)
        super().__init__(
            {
                "operands": In(config.bit_lanes),
                "control": In(bit_control_layout(config)),
                "swap": In(1),
                "load": In(bit_load_layout(config)),
                "totals": Out(totals),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to the total of column 0: as many as the MacArray takes."""
        return self.config.rows + 1

    def elaborate(self, platform):
        m = Module()
        config = self.config
        counts = BitCount.latency(config.bit_lanes)
        # What column c needs some cycles after its operand lies so many plus c further on.
        controls = self._delayed(m, self.control, config.columns + counts + 3, "control")
        swaps = self._delayed(m, self.swap, config.columns + counts + 1, "swap")
        shared = self._delayed(m, self._shared(m, controls[counts]), config.columns, "shared")
        loaded, ones = self._ones(m, counts)
        operands = self.operands
        for index in range(config.columns):
            m.submodules[f"column_{index}"] = column = BitColumn(config)
            m.d.comb += [
                column.operands.eq(operands),
                column.swap.eq(swaps[index]),
                column.load.eq(self.load.valid & (self.load.column == index)),
                column.weights.eq(self.load.weights),
                column.load_ones.eq(loaded.valid & (loaded.column == index)),
                column.ones.eq(ones),
                column.swap_ones.eq(swaps[index + counts + 1]),
                column.bipolar.eq(controls[index + counts + 1].bipolar_inputs),
                column.shared.eq(shared[index]),
                *self._finish(column, controls[index + counts + 3]),
                self.totals[index].eq(column.total),
            ]
            operands = column.passed_operands
        return m

    def _finish(self, column, control):
        return [column.finish[n].eq(control[n]) for n in ("valid", "shift", "negative")]

    def _delayed(self, m, value, cycles, name):
        """Return a value now and after each of the next cycles."""
        values = [value]
        for cycle in range(1, cycles + 1):
            values.append(Signal.like(value, name=f"{name}_{cycle}"))
            m.d.sync += values[-1].eq(values[-2])
        return values

    def _shared(self, m, control):
        """Return what all columns add: half the lanes, less the operand bits that are 1."""
        count = self._count(m, "operand_ones", self.operands)
        ones = count.count + count.last
        both = control.bipolar_inputs & control.bipolar_weights
        lanes = Mux(both, control.lanes >> 1, 0)
        result = Signal(signed(exact_log2(self.config.bit_lanes) + 2), reset_less=True)
        # One less for what is subtracted: the column then inverts, instead of negating.
        taken = Mux(control.bipolar_weights, ones, 0) + control.negative
        m.d.sync += result.eq(lanes - taken)
        return result

    def _ones(self, m, counts):
        """Return which column's weights have been counted, and the count, negative."""
        loads = data.StructLayout({"valid": 1, "column": range(self.config.columns)})
        load = Signal(loads)
        m.d.comb += [load.valid.eq(self.load.valid), load.column.eq(self.load.column)]
        count = self._count(m, "weight_ones", self.load.weights)
        negative = Cat(~count.count, 1).as_signed() + ~count.last  # -(count + last)
        return self._delayed(m, load, counts, "loaded")[-1], negative

    def _count(self, m, name, bits):
        m.submodules[name] = count = BitCount(self.config.bit_lanes)
        m.d.comb += [count.operands.eq(bits), count.weights.eq(~0)]
        return count
