"""SerialArray: the array of the serial machine; rows follow each other, columns do not."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .mac_column import sum_width

__all__ = ["BytePair", "SerialArray"]


class BytePair(wiring.Component):
    """Multiply one signed byte by each of two, which stay until they are replaced, and add.

    One multiplier of the iCE40 UltraPlus, split in two, where the platform is one.

    Parameters
    ----------
    follows : bool
        Take what is added two cycles after the operand instead of with it, as it leaves another
        pair that had its operand in the same cycle.
    adds : bool
        Something is added.

    Members
    -------
    operand : In(signed(8))
        Byte.
    weights : In(data.ArrayLayout(signed(8), 2))
        What the operands of the next cycles meet, if ``load``; one that follows multiplies a
        cycle after its operand.
    load : In(1)
        Take the weights.
    addends : In(data.ArrayLayout(signed(16), 2))
        What is added to the products.
    sums : Out(data.ArrayLayout(signed(16), 2))
        Of the operand ``latency`` cycles ago; modulo ``2**16``.
    """

    def __init__(self, follows: bool, adds: bool = True) -> None:
        self.follows, self.adds = follows, adds
        super().__init__(
            {
                "operand": In(signed(8)),
                "weights": In(data.ArrayLayout(signed(8), 2)),
                "load": In(1),
                "addends": In(data.ArrayLayout(signed(16), 2)),
                "sums": Out(data.ArrayLayout(signed(16), 2)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an operand to its sums."""
        return 3 if self.follows else 2

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ice40":
            self._cell(m)
            return m
        held = Signal.like(self.weights, reset_less=True)
        with m.If(self.load):
            m.d.sync += held.eq(self.weights)

        def register(name, value):
            signal = Signal.like(value, name=name, reset_less=True)
            m.d.sync += signal.eq(value)
            return signal

        operand = register("operand_held", self.operand) if self.follows else self.operand
        for index, total in enumerate(self.sums):
            product = Signal(signed(16), name=f"product_{index}", reset_less=True)
            m.d.sync += product.eq(operand * held[index])
            addend = self.addends[index]
            if not self.follows:
                addend = register(f"addend_{index}", addend)
            # A register for each, for some multipliers hold two of their results themselves.
            held_sum = Signal(signed(16), name=f"sum_{index}", reset_less=True)
            m.d.sync += held_sum.eq(product + addend if self.adds else product)
            m.d.comb += total.eq(held_sum)
        return m

    def _cell(self, m):
        """Instantiate the cell, with its own adders and their output registers."""
        adders = {}
        for half in ("TOP", "BOT"):
            adders |= {
                f"p_{half}_8x8_MULT_REG": Const(1, 1),
                f"p_{half}OUTPUT_SELECT": Const(1, 2),  # the registers
                f"p_{half}ADDSUB_LOWERINPUT": Const(1, 2),  # the product
                f"p_{half}ADDSUB_UPPERINPUT": Const(1, 1),  # what comes in beside it
                f"p_{half}ADDSUB_CARRYSELECT": Const(0, 2),
            }
        zeros = ("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT")
        zeros += ("ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")
        m.submodules.cell = Instance(
            "SB_MAC16",
            p_A_REG=Const(self.follows, 1),
            p_B_REG=Const(1, 1),
            p_C_REG=Const(not self.follows, 1),
            p_D_REG=Const(not self.follows, 1),
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
            o_O=self.sums.as_value(),
        )


class SerialArray(wiring.Component):
    """Multiply operand vectors by the weights of a tile, and add the products of all rows.

    The first half of the rows takes a tile's weights in one cycle, the other half in the next, so
    that words of weights go straight from their buffer to the multipliers. A row of the second
    half adds to what the row of the first half gives, in the multipliers' own adders.

    Parameters
    ----------
    config : Config
        Rows and columns.

    Members
    -------
    operands : In(data.ArrayLayout(signed(8), config.rows))
        One byte for each row.
    weights : In(data.ArrayLayout(8 * config.columns, config.rows // 2))
        A byte for each column, of half of the rows.
    loads : In(2)
        The first, or the second half of the rows takes the weights. Those of the first are wanted
        in the cycle before the tile's first operands, the others a cycle later.
    totals : Out(data.ArrayLayout(signed(sum_width(config.rows)), config.columns))
        Sums over the rows.
    addends, products : In(…), Out(data.ArrayLayout(signed(16), 2))
        Of row 0 and the first two columns: what is added to its products, and these two cycles
        after the operands.
    """

    #: Cycles from operands to their totals.
    latency = 4

    def __init__(self, config: Config) -> None:
        self.config = config
        total = signed(sum_width(config.rows))
        super().__init__(
            {
                "operands": In(data.ArrayLayout(signed(8), config.rows)),
                "weights": In(data.ArrayLayout(8 * config.columns, config.rows // 2)),
                "loads": In(2),
                "totals": Out(data.ArrayLayout(total, config.columns)),
                "addends": In(data.ArrayLayout(signed(16), 2)),
                "products": Out(data.ArrayLayout(signed(16), 2)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        half = self.config.rows // 2
        for first in range(0, self.config.columns, 2):
            sums = []
            for row in range(half):
                leads = self._pair(m, row, first, load=0)
                follows = self._pair(m, row + half, first, load=1)
                m.d.comb += follows.addends.eq(leads.sums)
                if (row, first) == (0, 0):
                    m.d.comb += [leads.addends.eq(self.addends), self.products.eq(leads.sums)]
                sums.append([_exact(total) for total in follows.sums])
            for column, parts in enumerate(zip(*sums, strict=True), first):
                total = Signal.like(self.totals[column], name=f"total_{column}", reset_less=True)
                m.d.sync += total.eq(sum(parts))
                m.d.comb += self.totals[column].eq(total)
        return m

    def _pair(self, m, row, first, *, load):
        """Add the multipliers of a row and two columns."""
        adds = load == 1 or (row == first == 0 and self.config.serial == 1)
        pair = BytePair(follows=load == 1, adds=adds)
        m.submodules[f"pair_{row}_{first}"] = pair
        weights = self.weights[row % (self.config.rows // 2)]
        m.d.comb += [
            pair.operand.eq(self.operands[row]),
            pair.weights.as_value().eq(weights.word_select(first // 2, 16)),
            pair.load.eq(self.loads[load]),
        ]
        return pair


def _exact(total):
    """Return a sum of two products of signed bytes from its lower 16 bits.

    Only 128 * 128 twice is too large for them: no such sum is below 127 * -128 twice.
    """
    return Cat(total, total[15] & total[8:15].any()).as_signed()
