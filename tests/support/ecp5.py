"""Cells of the ECP5, as their data sheet describes them, so that designs with them can run here."""

from amaranth import Cat, Const, Elaboratable, Fragment, Module, Signal

__all__ = ["Cell", "OnEcp5"]


class _Platform:
    family = "ecp5"


class OnEcp5(Elaboratable):
    """A design as it is built for the ECP5; see :class:`Cell` for what it instantiates."""

    def __init__(self, design):
        self.design = design

    def elaborate(self, platform):
        m = Module()
        m.submodules.design = Fragment.get(self.design, _Platform())
        return m


class Cell(Elaboratable):
    """Stands in for ``Instance("CCU2C", …)``: two lookup tables on a carry chain.

    A table of four inputs gives what a carry in is added to; where it is 1 the carry passes, and
    elsewhere the table's lowest quarter, of inputs A and B alone, is the carry out.
    """

    def __init__(self, kind, **connections):
        assert kind == "CCU2C"
        assert connections["p_INJECT1_0"] == connections["p_INJECT1_1"] == "NO"
        self.connections = connections

    def elaborate(self, platform):
        m, c = Module(), self.connections
        carry = c["i_CIN"]
        for half in range(2):
            inputs = Cat(c[f"i_{name}{half}"] for name in "ABCD")
            table = Const(c[f"p_INIT{half}"].value, 16)
            passes, starts, after = Signal(), Signal(), Signal()
            m.d.comb += [
                passes.eq(table.bit_select(inputs, 1)),
                starts.eq(table[:4].bit_select(inputs[:2], 1)),
                c[f"o_S{half}"].eq(passes ^ carry),
                after.eq((passes & carry) | (~passes & starts)),
            ]
            carry = after
        m.d.comb += c["o_COUT"].eq(carry)
        return m
