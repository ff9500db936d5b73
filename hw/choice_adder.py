"""ChoiceAdder: a carry chain that adds one of two numbers."""

from amaranth import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .and_adder import carry_chain

__all__ = ["ChoiceAdder"]

#: A position of an ECP5 carry chain: propagates ``A ^ (B ? C : D)``, generates ``A``.
_A_PLUS_CHOICE = Const(0x596A, 16)


class ChoiceAdder(wiring.Component):
    """``total = a + (b & c | ~b & d)``, in one LUT4 for each bit where a family has them.

    Where both operands of a position are equal, it starts a carry as
    :class:`~shiftloom.hw.and_adder.AndAdder` does.

    Parameters
    ----------
    width : int
        Positions.

    Members
    -------
    a, b, c, d : In(width)
        Operand; which of the others is added to it.
    total : Out(width)
        Sum, without the last carry.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__({**{name: In(width) for name in "abcd"}, "total": Out(width)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ecp5":
            carry_chain(m, self, _A_PLUS_CHOICE)
        else:
            m.d.comb += self.total.eq(self.a + ((self.b & self.c) | (~self.b & self.d)))
        return m
