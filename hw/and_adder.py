"""AndAdder: one long carry chain that adds many small numbers at once."""

from amaranth import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AndAdder"]

#: A position of an ECP5 carry chain: propagates ``(A & B) ^ (C & D)``, generates ``A & B``.
_AND_AND = Const(0x7888, 16)


class AndAdder(wiring.Component):
    """``total = (a & b) + (c & d)``, in one LUT4 for each bit where a family has them.

    Where both operands of a position are equal, no carry passes it: the position gives the carry
    that arrives from below as its sum, and starts another with its operand. So one chain holds
    many adders side by side, each with a carry in, at one position more than their operands have.

    Parameters
    ----------
    width : int
        Positions.

    Members
    -------
    a, b, c, d : In(width)
        Operands.
    total : Out(width)
        Sum, without the last carry.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        operands = {name: In(width) for name in "abcd"}
        super().__init__({**operands, "total": Out(width)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ecp5":
            self._chain(m)
        else:
            m.d.comb += self.total.eq((self.a & self.b) + (self.c & self.d))
        return m

    def _chain(self, m):
        """Instantiate the chain: synthesis would take the products out of it."""
        zero = Const(0, self.width % 2)
        a, b, c, d = (Cat(getattr(self, name), zero) for name in "abcd")
        carry = Const(0, 1)
        for position in range(0, self.width, 2):
            low, high = position, position + 1
            sums, after = Signal(2, name=f"sums_{low}"), Signal(name=f"carry_{high}")
            m.submodules[f"position_{low}"] = Instance(
                "CCU2C",
                p_INIT0=_AND_AND,
                p_INIT1=_AND_AND,
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_CIN=carry,
                **{
                    f"i_{name}0": value[low]
                    for name, value in zip("ABCD", (a, b, c, d), strict=True)
                },
                **{
                    f"i_{name}1": value[high]
                    for name, value in zip("ABCD", (a, b, c, d), strict=True)
                },
                o_S0=sums[0],
                o_S1=sums[1],
                o_COUT=after,
            )
            m.d.comb += self.total[low : low + 2].eq(sums)
            carry = after
