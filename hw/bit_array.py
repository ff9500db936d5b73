"""BitArray: dot products of whole words of bits, one word and all columns each cycle."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .and_adder import AndAdder
from .bit_column import BitColumn, bit_finish_layout, bit_ones_layout, bit_total_width
from .bit_count import BitCount
from .delay import delayed
from .mac_column import array_latency

__all__ = ["BitArray", "bit_control_layout", "bit_load_layout"]


def bit_control_layout(config: Config) -> data.StructLayout:
    """Return what says how a word of operand bits counts."""
    return data.StructLayout(
        {
            "valid": 1,  # for the bit array, and not padding
            "bipolar_inputs": 1,
            "bipolar_weights": 1,
            "negative": 1,
            "lanes": range(config.bit_lanes + 1),  # that count
        }
    )


def bit_load_layout(config: Config) -> data.StructLayout:
    """Return what brings the weights of one column."""
    return data.StructLayout(
        {"valid": 1, "column": range(config.columns), "weights": 8 * config.word_bytes}
    )


#: Columns that get their weights from one register.
_COLUMNS = 8


class BitArray(wiring.Component):
    """Carry out bitwise tiles, exactly as :func:`~shiftloom.isa.bitwise.bit_sums` says.

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
        return array_latency(self.config)

    def elaborate(self, platform):
        m = Module()
        config = self.config
        counts = BitCount.latency(config.bit_lanes, bool(config.pipeline))

        def later(value, cycles, name):
            return delayed(m, value, cycles, name, reset_less=True)

        # Weights come from afar: with ``pipeline`` they wait here, and operands in their products.
        wait = config.pipeline
        operands, entered = self.operands, later(self.operands, wait, "entered")[-1]
        loads, weights, counted = self._loads(m, wait)
        # What column c needs some cycles after its operand lies so many plus c further on.
        controls = later(self._decoded(m), wait + config.columns + counts + 3, "control")[wait:]
        swaps = later(self.swap, wait + config.columns + counts + 1, "swap")[wait:]
        shared = self._shared(m, entered, *controls[counts - 1 : counts + 1])
        shared = later(shared, config.columns, "shared")
        loaded = later(loads, counts, "loaded")[-1]
        ones = self._weight_ones(m, counted)
        for index in range(config.columns):
            m.submodules[f"column_{index}"] = column = BitColumn(config)
            m.d.comb += [
                column.operands.eq(operands),
                column.swap.eq(swaps[index]),
                column.load.eq(loads[index]),
                column.weights.eq(weights[index]),
                column.load_ones.eq(loaded[index]),
                column.ones.eq(ones),
                column.swap_ones.eq(swaps[index + counts + 1]),
                column.bipolar.eq(controls[index + counts + 1].bipolar_inputs),
                column.shared.eq(shared[index]),
                column.doubled.eq(controls[index + counts + 2].doubled),
                column.finish.eq(controls[index + counts + 3].finish),
                self.totals[index].eq(column.total),
            ]
            operands = column.passed_operands
        return m

    def _loads(self, m, wait):
        """Return which column loads, what each would, and the weights to count."""
        config, load = self.config, self.load
        meant = Cat(load.valid & (load.column == c) for c in range(config.columns))
        if not wait:
            return meant, [load.weights] * config.columns, load.weights
        # Each register takes only what is for its columns, or synthesis would make one of them all.
        held = []
        for first in range(0, config.columns, _COLUMNS):
            held.append(Signal(len(load.weights), name=f"held_{first}", reset_less=True))
            with m.If(meant[first : first + _COLUMNS].any()):
                m.d.sync += held[-1].eq(load.weights)
        counted = Signal(len(load.weights), reset_less=True)
        with m.If(load.valid):
            m.d.sync += counted.eq(load.weights)
        loads = delayed(m, meant, wait, "loads", reset_less=True)[-1]
        return loads, [held[c // _COLUMNS] for c in range(config.columns)], counted

    def _decoded(self, m):
        """Return the control as columns need it."""
        control, kinds = (
            self.control,
            Cat(self.control.bipolar_inputs, self.control.bipolar_weights),
        )
        layout = {"finish": bit_finish_layout(), "doubled": 1, "lanes": control.lanes.shape()}
        layout |= {"bipolar_inputs": 1, "bipolar_weights": 1}
        decoded = Signal(data.StructLayout(layout))
        m.d.comb += [
            *(decoded[name].eq(control[name]) for name in ("bipolar_inputs", "bipolar_weights")),
            decoded.finish.nothing.eq(~control.valid),
            decoded.finish.negative.eq(control.negative),
            decoded.finish.doubled.eq(kinds.all()),
            decoded.doubled.eq(kinds.any()),
            decoded.lanes.eq(control.lanes),
        ]
        return decoded

    def _shared(self, m, operands, before, control):
        """Return what all columns add: half the lanes, less the operand bits that are 1.

        It is one less for what is subtracted: the column then inverts, instead of negating.
        """
        width = bit_total_width(self.config)
        lanes, result = (Signal(signed(width), name=n, reset_less=True) for n in ("half", "shared"))
        m.submodules.half = half = AndAdder(width)
        m.d.comb += [
            half.a.eq(before.lanes >> 1),
            half.b.eq(before.finish.doubled.replicate(width)),
            half.c.eq(before.finish.negative.replicate(width)),
            half.d.eq(~0),
        ]
        count = self._count(m, "operand_ones", operands)
        bipolar = control.bipolar_weights
        m.submodules.less = less = AndAdder(width + 1, inverted=True)
        m.d.comb += [
            less.a.eq(Cat(~count.last, lanes)),  # the lowest position is a carry in
            less.b.eq(Cat(bipolar, ~Const(0, width))),
            less.c.eq(Cat(count.last, count.count)),
            less.d.eq(bipolar.replicate(width + 1)),
        ]
        m.d.sync += [lanes.eq(half.total), result.eq(less.total[1:])]
        return result

    def _weight_ones(self, m, weights):
        """Return how many bits of a column's weights are 1."""
        count = self._count(m, "weight_ones", weights)
        ones = Signal(bit_ones_layout(self.config))
        m.d.comb += [
            ones.count.eq(count.count),
            ones.last.eq(count.last),
            ones.no_last.eq(~count.last),
        ]
        return ones

    def _count(self, m, name, bits):
        m.submodules[name] = count = BitCount(self.config.bit_lanes, bool(self.config.pipeline))
        m.d.comb += [count.operands.eq(bits), count.weights.eq(~0)]
        return count
