"""MacColumn: the processing elements that make one output channel."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .multiplier import Multiplier

__all__ = ["MacColumn", "array_latency", "column_load_layout", "sum_width"]


def sum_width(products: int) -> int:
    """Return the bits of a sum of products of signed bytes."""
    return 16 + (products - 1).bit_length()


def array_latency(config: Config) -> int:
    """Return the cycles from operands of an array to the total of its first column."""
    return config.rows + 1 + config.pipeline


def column_load_layout(config: Config) -> data.StructLayout:
    """Return what changes the next weight of one processing element."""
    return data.StructLayout({"valid": 1, "row": range(config.rows), "weight": signed(8)})


class MacColumn(wiring.Component):
    """Multiply operands by weights that stay, and add the products downward.

    Row ``r`` expects its operand ``r`` cycles after row 0. Each processing element holds the
    weight in use and the next one; ``swaps`` puts the next in use for the operand of the following
    cycle, and may come in the cycle in which that next
    weight is replaced.

    Parameters
    ----------
    config : Config
        Gives the number of rows.

    Members
    -------
    operands : In(data.ArrayLayout(signed(8), config.rows))
        From the column on the left.
    swaps : In(config.rows)
        From the column on the left.
    load : In(column_load_layout(config))
        Next weight of one row.
    passed_operands, passed_swaps : Out
        To the column on the right, one cycle later.
    total : Out(signed(sum_width(config.rows)))
        Sum over the rows.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        operands = data.ArrayLayout(signed(8), config.rows)
        super().__init__(
            {
                "operands": In(operands),
                "swaps": In(config.rows),
                "load": In(column_load_layout(config)),
                "passed_operands": Out(operands),
                "passed_swaps": Out(config.rows),
                "total": Out(signed(sum_width(config.rows))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the operand of row 0 to its total."""
        return array_latency(self.config)

    def elaborate(self, platform):
        m = Module()
        above = 0
        for row in range(self.config.rows):

            def register(name, width, row=row):
                return Signal(signed(width), name=f"{name}_{row}", reset_less=True)

            following, total = register("next", 8), register("total", sum_width(row + 1))
            with m.If(self.load.valid & (self.load.row == row)):
                m.d.sync += following.eq(self.load.weight)
            product = self._product(m, row, following, register)
            m.d.sync += total.eq(above + product)
            above = total
        passed_operands = Signal.like(self.passed_operands, reset_less=True)
        m.d.sync += [passed_operands.eq(self.operands), self.passed_swaps.eq(self.swaps)]
        m.d.comb += [self.total.eq(above), self.passed_operands.eq(passed_operands)]
        return m

    def _product(self, m, row, following, register):
        """Return the product of one row, from a register."""
        weight = register("weight", 8)
        with m.If(self.swaps[row]):
            m.d.sync += weight.eq(following)
        if self.config.pipeline:
            m.submodules[f"multiplier_{row}"] = multiplier = Multiplier()
            m.d.comb += [multiplier.a.eq(self.operands[row]), multiplier.b.eq(weight)]
            return multiplier.product
        product = register("product", 16)
        m.d.sync += product.eq(self.operands[row] * weight)
        return product
