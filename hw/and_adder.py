"""AndAdder: one long carry chain that adds many small numbers at once."""

from amaranth import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AndAdder", "carry_chain"]

#: A position of an ECP5 carry chain: propagates ``(A & B) ^ (C & D)``, generates ``A & B``.
_AND_AND = Const(0x7888, 16)
#: Likewise with ``~C``.
_AND_AND_NOT = Const(0x8788, 16)


def carry_chain(m, adder, table):
    """Make an adder's total of ECP5 carry chains: synthesis would take the tables out of them.

    ``table`` is that of the inputs A to D, which are the adder's ports ``a`` to ``d``: what a carry
    is added to and, where that is 0 with neither C nor D, whether a carry begins.
    """
    zero = Const(0, adder.width % 2)
    a, b, c, d = (Cat(getattr(adder, name), zero) for name in "abcd")
    carry = Const(0, 1)
    for position in range(0, adder.width, 2):
        low, high = position, position + 1
        sums, after = Signal(2, name=f"sums_{low}"), Signal(name=f"carry_{high}")
        m.submodules[f"position_{low}"] = Instance(
            "CCU2C",
            p_INIT0=table,
            p_INIT1=table,
            p_INJECT1_0="NO",
            p_INJECT1_1="NO",
            i_CIN=carry,
            **{f"i_{name}0": value[low] for name, value in zip("ABCD", (a, b, c, d), strict=True)},
            **{f"i_{name}1": value[high] for name, value in zip("ABCD", (a, b, c, d), strict=True)},
            o_S0=sums[0],
            o_S1=sums[1],
            o_COUT=after,
        )
        m.d.comb += adder.total[low : low + 2].eq(sums)
        carry = after


class AndAdder(wiring.Component):
    """``total = (a & b) + (c & d)``, in one LUT4 for each bit where a family has them.

    Where both operands of a position are equal, no carry passes it: the position gives the carry
    that arrives from below as its sum, and starts another with its operand. So one chain holds
    many adders side by side, each with a carry in, at one position more than their operands have.

    Parameters
    ----------
    width : int
        Positions.
    inverted : bool
        Whether ``~c`` takes the place of ``c``.

    Members
    -------
    a, b, c, d : In(width)
        Operands.
    total : Out(width)
        Sum, without the last carry.
    """

    def __init__(self, width: int, inverted: bool = False) -> None:
        self.width, self.inverted = width, inverted
        operands = {name: In(width) for name in "abcd"}
        super().__init__({**operands, "total": Out(width)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ecp5":
            carry_chain(m, self, _AND_AND_NOT if self.inverted else _AND_AND)
        else:
            c = ~self.c if self.inverted else self.c
            m.d.comb += self.total.eq((self.a & self.b) + (c & self.d))
        return m
