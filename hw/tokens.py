"""Tokens: how much work each engine has completed, and whether any is left."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.instructions import ENGINES

__all__ = ["COUNT_BITS", "Tokens"]

#: Bits of a count of completed work: the width of the wait fields.
COUNT_BITS = 16

#: More than the pieces of work that an engine and its queue can hold.
_OUTSTANDING = 64


class Tokens(wiring.Component):
    """Count completed work; the counts are what instructions wait for.

    A completion is visible in the counts one cycle after its pulse. A count stays at its highest
    value rather than wrap, so that no wait that was satisfied becomes unsatisfied.

    Members
    -------
    issued, done : In(4)
        Pulses, one bit per :class:`~shiftloom.isa.instructions.Engine`: a piece of work entered
        the engine's queue; the engine completed one.
    completed : Out(COUNT_BITS).array(4)
        Counts since reset.
    idle : Out(1)
        All work that was issued has completed.
    """

    def __init__(self) -> None:
        count = len(ENGINES)
        super().__init__(
            {
                "issued": In(count),
                "done": In(count),
                "completed": Out(COUNT_BITS).array(count),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        idle = []
        for engine in ENGINES:
            issued, done = self.issued[engine], self.done[engine]
            completed = self.completed[engine]
            outstanding = Signal(range(_OUTSTANDING), name=f"outstanding_{engine.name.lower()}")
            with m.If(done & ~completed.all()):
                m.d.sync += completed.eq(completed + 1)
            m.d.sync += outstanding.eq(outstanding + issued - done)
            idle.append(outstanding == 0)
        m.d.comb += self.idle.eq(idle[0] & idle[1] & idle[2] & idle[3])
        return m
