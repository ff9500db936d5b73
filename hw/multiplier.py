"""Multiplier: a product of signed numbers between registers of its own."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Multiplier"]

#: Bits of an operand of the ECP5's multiplier.
_DSP_BITS = 18


class Multiplier(wiring.Component):
    """``product = a * b``, two cycles later.

    On an ECP5 all registers are those of its multiplier: what is between them is known to be fast,
    wherever the factors come from. Synthesis would leave them outside. None has an enable: two
    multipliers share a block's.

    Parameters
    ----------
    width : int
        Of a factor, at most 18.

    Members
    -------
    a, b : In(signed(width))
        Factors.
    product : Out(signed(2 * width))
        Product.
    """

    #: Cycles from factors to their product.
    latency = 2

    def __init__(self, width: int = 8) -> None:
        self.width = width
        factor, product = signed(width), signed(2 * width)
        super().__init__({"a": In(factor), "b": In(factor), "product": Out(product)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "family", None) == "ecp5":
            self._cell(m)
            return m
        factor = signed(self.width)
        a, b = (Signal(factor, name=name, reset_less=True) for name in ("left", "right"))
        m.d.sync += [a.eq(self.a), b.eq(self.b), self.product.eq(a * b)]
        return m

    def _cell(self, m):
        """Make the multiplier of an ECP5.

        Factors lie in its upper bits: the lower ones are constants, which take no wires, unlike
        copies of signs.
        """
        product = Signal(2 * _DSP_BITS)
        unused, ports = _DSP_BITS - self.width, {}
        for name, value in (("A", self.a), ("B", self.b)):
            for bit, wire in enumerate(Cat(Const(0, unused), value)):
                ports[f"i_{name}{bit}"] = wire
        m.submodules.cell = Instance(
            "MULT18X18D",
            p_REG_INPUTA_CLK="CLK0",
            p_REG_INPUTA_CE="CE0",
            p_REG_INPUTB_CLK="CLK0",
            p_REG_INPUTB_CE="CE0",
            p_REG_OUTPUT_CLK="CLK0",
            p_REG_OUTPUT_CE="CE0",
            p_GSR="DISABLED",
            i_CLK0=ClockSignal(),
            i_CE0=Const(1),
            i_RST0=Const(0),
            i_SIGNEDA=Const(1),
            i_SIGNEDB=Const(1),
            i_SOURCEA=Const(0),
            i_SOURCEB=Const(0),
            **ports,
            **{f"o_P{bit}": product[bit] for bit in range(2 * _DSP_BITS)},
        )
        m.d.comb += self.product.eq(product[2 * unused :])
