"""MacArray: a weight-stationary systolic array of signed 8-bit multipliers."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .delay import delayed
from .mac_column import MacColumn, array_latency, sum_width

__all__ = ["MacArray", "array_load_layout"]


def array_load_layout(config: Config) -> data.StructLayout:
    """Return what brings the weights of one row."""
    return data.StructLayout(
        {
            "valid": 1,
            "row": range(config.rows),
            "weights": data.ArrayLayout(signed(8), config.columns),
        }
    )


class MacArray(wiring.Component):
    """Multiply a vector by a matrix each cycle, and load the next matrix meanwhile.

    Nothing stalls: whoever reads ``totals`` knows when they are meant. Operands, loads and swaps
    all travel as diagonal waves of one speed, so a matrix may be swapped in one cycle after its
    last row entered, and the first row of another may enter in the cycle of the swap.

    Parameters
    ----------
    config : Config
        Rows and columns.

    Members
    -------
    operands : In(data.ArrayLayout(signed(8), config.rows))
        Vector.
    swap : In(1)
        The loaded matrix is for the operands of the next cycle and after.
    load : In(array_load_layout(config))
        Weights of one row of the next matrix.
    totals : Out(data.ArrayLayout(signed(sum_width(config.rows)), config.columns))
        Column ``c`` gives its result ``latency + c`` cycles after the operands.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        totals = data.ArrayLayout(signed(sum_width(config.rows)), config.columns)
        super().__init__(
            {
                "operands": In(data.ArrayLayout(signed(8), config.rows)),
                "swap": In(1),
                "load": In(array_load_layout(config)),
                "totals": Out(totals),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to the total of column 0."""
        return array_latency(self.config)

    def elaborate(self, platform):
        m = Module()

        def later(value, cycles, name):
            return delayed(m, value, cycles, name, reset_less=True)[-1]

        rows, columns = range(self.config.rows), range(self.config.columns)
        operands = Signal(data.ArrayLayout(signed(8), len(rows)))
        swaps = Signal(len(rows))
        swap = self.swap
        for row in rows:
            m.d.comb += operands[row].eq(later(self.operands[row], row, f"operand_{row}"))
            m.d.comb += swaps[row].eq(swap)
            swap = later(swap, 1, f"swap_{row}")

        valid, load_row = self.load.valid, self.load.row
        for index in columns:
            m.submodules[f"column_{index}"] = column = MacColumn(self.config)
            m.d.comb += [
                column.operands.eq(operands),
                column.swaps.eq(swaps),
                column.load.valid.eq(valid),
                column.load.row.eq(load_row),
                column.load.weight.eq(later(self.load.weights[index], index, f"weight_{index}")),
                self.totals[index].eq(column.total),
            ]
            operands, swaps = column.passed_operands, column.passed_swaps
            valid = later(valid, 1, f"load_valid_{index}")
            load_row = later(load_row, 1, f"load_row_{index}")
        return m
