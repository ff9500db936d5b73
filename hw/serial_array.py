"""SerialArray: the array of the serial machine; rows follow each other, columns do not."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .mac_column import sum_width

__all__ = ["BytePair", "SerialArray"]


class BytePair(wiring.Component):
    """Multiply one signed byte by each of two, which stay until they are replaced.

    One multiplier of the iCE40 UltraPlus, split in two, where the platform is one.

    Parameters
    ----------
    late : bool
        Give the products one cycle later, with something added.

    Members
    -------
    operand : In(signed(8))
        Byte.
    weights : In(data.ArrayLayout(signed(8), 2))
        What the operands of the next cycles meet, if ``load``.
    load : In(1)
        Take the weights.
    addends : In(data.ArrayLayout(signed(16), 2))
        What is added to the operand's products, if ``late``.
    products : Out(data.ArrayLayout(signed(16), 2))
        Of the operand ``latency`` cycles ago; modulo ``2**16``.
    """

    def __init__(self, late: bool) -> None:
        self.late = late
        super().__init__(
            {
                "operand": In(signed(8)),
                "weights": In(data.ArrayLayout(signed(8), 2)),
                "load": In(1),
                "addends": In(data.ArrayLayout(signed(16), 2)),
                "products": Out(data.ArrayLayout(signed(16), 2)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an operand to its products."""
        return 2 if self.late else 1

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ice40":
            self._cell(m)
            return m
        held = Signal.like(self.weights, reset_less=True)
        with m.If(self.load):
            m.d.sync += held.eq(self.weights)
        for index, product in enumerate(self.products):

            def register(name, value, index=index):
                signal = Signal(signed(16), name=f"{name}_{index}", reset_less=True)
                m.d.sync += signal.eq(value)
                return signal

            value = register("product", self.operand * held[index])
            if self.late:
                value = register("sum", value + register("addend", self.addends[index]))
            m.d.comb += product.eq(value)
        return m

    def _cell(self, m):
        """Instantiate the cell; late products leave through its output registers."""
        output = 1 if self.late else 2
        adders = {}
        for half in ("TOP", "BOT"):
            adders |= {
                f"p_{half}_8x8_MULT_REG": Const(1, 1),
                f"p_{half}OUTPUT_SELECT": Const(output, 2),
                f"p_{half}ADDSUB_LOWERINPUT": Const(1, 2),  # the product
                f"p_{half}ADDSUB_UPPERINPUT": Const(1, 1),  # what comes in beside it
                f"p_{half}ADDSUB_CARRYSELECT": Const(0, 2),
            }
        zeros = ("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT")
        zeros += ("ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")
        m.submodules.cell = Instance(
            "SB_MAC16",
            **{f"p_{name}_REG": Const(name != "A", 1) for name in "ABCD"},
            **adders,
            p_NEG_TRIGGER=Const(0, 1),
            p_PIPELINE_16x16_MULT_REG1=Const(1, 1),
            p_PIPELINE_16x16_MULT_REG2=Const(0, 1),
            p_MODE_8x8=Const(1, 1),
            p_A_SIGNED=Const(1, 1),
            p_B_SIGNED=Const(1, 1),
            i_CLK=ClockSignal(),
            i_CE=Const(1, 1),
            i_A=Cat(self.operand, self.operand),
            i_B=self.weights.as_value(),
            i_C=self.addends[1],
            i_D=self.addends[0],
            i_AHOLD=Const(0, 1),
            i_BHOLD=~self.load,
            i_CHOLD=Const(0, 1),
            i_DHOLD=Const(0, 1),
            **{f"i_{name}": Const(0, 1) for name in zeros},
            o_O=self.products.as_value(),
        )


class SerialArray(wiring.Component):
    """Multiply operand vectors by the weights of a tile, and add the products of all rows.

    Row ``r`` takes its operand ``r`` cycles after row 0 and its weights in a cycle of its own, so
    that words of weights go straight from their buffer to the multipliers.

    Parameters
    ----------
    config : Config
        Rows and columns.

    Members
    -------
    operands : In(data.ArrayLayout(signed(8), config.rows))
        One byte for each row.
    weights : In(8 * config.columns)
        A byte for each column, of one row.
    loads : In(config.rows)
        The row takes the weights. Those of row 0 are wanted in the cycle before the tile's first
        operands, those of each further row a cycle later.
    totals : Out(data.ArrayLayout(signed(sum_width(config.rows)), config.columns))
        Sums over the rows.
    addends, products : In(…), Out(data.ArrayLayout(signed(16), 2))
        Of row 0 and the first two columns: what is added to its products, and these two cycles
        after the operands.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        total = signed(sum_width(config.rows))
        super().__init__(
            {
                "operands": In(data.ArrayLayout(signed(8), config.rows)),
                "weights": In(8 * config.columns),
                "loads": In(config.rows),
                "totals": Out(data.ArrayLayout(total, config.columns)),
                "addends": In(data.ArrayLayout(signed(16), 2)),
                "products": Out(data.ArrayLayout(signed(16), 2)),
            }
        )

    @classmethod
    def latency(cls, config: Config) -> int:
        """Return the cycles from operands to their totals."""
        return 1 + config.rows

    def elaborate(self, platform):
        m = Module()
        columns = range(self.config.columns)
        weights = data.View(data.ArrayLayout(signed(8), len(columns)), self.weights)
        sums = [None] * len(columns)
        for row in range(self.config.rows):
            operand = self.operands[row]
            for stage in range(row):
                delayed = Signal(signed(8), name=f"operand_{row}_{stage}", reset_less=True)
                m.d.sync += delayed.eq(operand)
                operand = delayed
            for first in columns[::2]:
                m.submodules[f"pair_{row}_{first}"] = pair = BytePair(late=row == 0)
                m.d.comb += [
                    pair.operand.eq(operand),
                    pair.weights[0].eq(weights[first]),
                    pair.weights[1].eq(weights[first + 1]),
                    pair.load.eq(self.loads[row]),
                ]
                if (row, first) == (0, 0):
                    m.d.comb += [pair.addends.eq(self.addends), self.products.eq(pair.products)]
                for column, product in zip((first, first + 1), pair.products, strict=True):
                    if row == 0:
                        sums[column] = product
                        continue
                    shape = signed(sum_width(row + 1))
                    total = Signal(shape, name=f"sum_{column}_{row}", reset_less=True)
                    m.d.sync += total.eq(sums[column] + product)
                    sums[column] = total
        for total, found in zip(self.totals, sums, strict=True):
            m.d.comb += total.eq(found)
        return m
