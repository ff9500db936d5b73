"""OperandGate: lets operands of the array go when weights and accumulators are ready for them."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import Engine
from .accumulators import Accumulators, operation_layout
from .interfaces import job_layout

__all__ = ["OperandGate", "operand_layout"]


def operand_layout(config: Config, values: data.StructLayout) -> data.StructLayout:
    """Return an operand: what is done with its result, its place, and the job it belongs to."""
    return data.StructLayout(
        {
            "operation": operation_layout(config),
            "tile_begins": 1,
            "tile_ends_job": 1,  # its tile is the job's last
            "last_block": 1,
            "values": values,
            "job": job_layout(Engine.MAC),
        }
    )


class OperandGate(wiring.Component):
    """Hold operands back until they may be issued, in order.

    An operand waits before the first of a tile until the tile's weights are pending, and before it
    adds to an accumulator that changed so recently that it cannot be read yet. With ``pipeline``
    it stands in a register meanwhile, and was compared with those before it on its way in.

    Parameters
    ----------
    config : Config
        The accelerator.
    values : StructLayout
        Place of an operand.

    Members
    -------
    i : In(stream.Signature(operand_layout(config, values)))
        Operands; what they say of ``operation.valid`` does not matter.
    pending, pends : In(1)
        The weights of the next tile are pending; they are in the next cycle.
    o : Out(operand_layout(config, values))
        The operand that is issued if ``operation.valid``.
    """

    def __init__(self, config: Config, values: data.StructLayout) -> None:
        self.config = config
        layout = operand_layout(config, values)
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "pending": In(1),
                "pends": In(1),
                "o": Out(layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self.config.pipeline:
            goes = self._hold(m)
        else:
            clashes = self._clashes(m, self.i.p, first=1).any()
            may_go = (~self.o.tile_begins | self.pending) & ~clashes
            goes = self.i.valid & may_go
            m.d.comb += [self.o.eq(self.i.p), self.i.ready.eq(may_go)]
        m.d.comb += self.o.operation.valid.eq(goes)
        return m

    def _hold(self, m):
        """Keep one operand; return whether there is one that goes."""
        valid = Signal()
        held = Signal.like(self.o, reset_less=True)
        # An operation is a clash for as many cycles as it is too young.
        ages = Signal(Accumulators.distance(self.config) - 1)
        # Whether there is room or the operand goes enables all loops: it is known a cycle ahead.
        takes = Signal(init=1)
        m.d.comb += [self.o.eq(held), self.i.ready.eq(takes)]
        later = self._clashes(m, self.i.p, first=0)
        begins, clashes = Signal(), Signal()
        with m.If(takes):
            m.d.sync += [valid.eq(self.i.valid), held.eq(self.i.p), ages.eq(later)]
            m.d.comb += [begins.eq(self.i.p.tile_begins), clashes.eq(later.any())]
        with m.Else():
            m.d.sync += ages.eq(ages << 1)
            m.d.comb += [begins.eq(held.tile_begins), clashes.eq(ages[:-1].any())]
        rests = takes & ~self.i.valid
        m.d.sync += takes.eq(rests | ((~begins | self.pends) & ~clashes))
        return valid & takes

    def _clashes(self, m, operand, *, first):
        """Return with which of the last operations an operand clashes, the newest first.

        The newest is the one of this cycle if ``first`` is 0, and of the cycle before if it is 1.
        """
        clashes, before = [], self.o.operation
        for age in range(first, Accumulators.distance(self.config) - 1 + first):
            if age:
                recent = Signal.like(before, name=f"recent_{age}")
                m.d.sync += recent.eq(before)
                before = recent
            same = (before.pixel == operand.operation.pixel) & (
                before.half == operand.operation.half
            )
            clashes.append(before.valid & same & ~operand.operation.overwrite)
        return Cat(clashes)
