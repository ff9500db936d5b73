"""BitFeeder: the words of bits that the feeder has read, as operands of the bit array."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from ..isa.instructions import Engine
from .bit_array import bit_control_layout
from .interfaces import job_layout, read_latency

__all__ = ["BitFeeder"]


class BitFeeder(wiring.Component):
    """Mask the lanes of a word that do not count, and say how it counts.

    Parameters
    ----------
    config : Config
        Lanes.

    Members
    -------
    job : In(job_layout(Engine.MAC))
        Whose operand is issued.
    last_block : In(1)
        The operand belongs to the last channel block.
    word : In(config.bit_lanes)
        What was read for it, a cycle before ``bits``.
    inside : In(1)
        With the word: it is an operand, and not padding.
    bits : Out(config.bit_lanes)
        Operand, ``latency(config)`` cycles after its issue.
    control : Out(bit_control_layout(config))
        Comes with it.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "job": In(job_layout(Engine.MAC)),
                "last_block": In(1),
                "word": In(config.bit_lanes),
                "inside": In(1),
                "bits": Out(config.bit_lanes),
                "control": Out(bit_control_layout(config)),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from the issue of an operand to ``bits``."""
        return 3 + read_latency(config)

    def elaborate(self, platform):
        m = Module()
        lanes, loops, work = self.config.bit_lanes, self.job.loops, self.job.work
        control = Signal(bit_control_layout(self.config))
        m.d.comb += [
            control.valid.eq(loops.bitwise),
            control.bipolar_inputs.eq(loops.bipolar_inputs),
            control.bipolar_weights.eq(loops.bipolar_weights),
            control.negative.eq(work.negative),
            control.lanes.eq(Mux(self.last_block, loops.lanes, lanes)),
        ]
        stages = self.latency(self.config) - 1
        for stage in range(stages):
            if stage == stages - 1:
                mask = self._mask(m, control.lanes)
            later = Signal.like(control, name=f"control_{stage}", reset_less=True)
            m.d.sync += later.eq(control)
            control = later
        m.d.sync += [
            self.bits.eq(self.word & mask),
            self.control.eq(control),
            self.control.valid.eq(control.valid & self.inside),
        ]
        return m

    def _mask(self, m, count):
        """Return so many ones, one cycle later: whole groups, and one group that is split.

        A lane's bit of the mask is then a function of three registers, and fits into one LUT4 with
        the bit that it masks.
        """
        size = 1 << exact_log2(self.config.bit_lanes) // 2
        groups = self.config.bit_lanes // size
        within, full = count[: exact_log2(size)], count[exact_log2(size) :]
        part, whole, split = (
            Signal(width, name=name, reset_less=True)
            for name, width in (("part", size), ("whole", groups), ("split", groups))
        )
        m.d.sync += [
            part.eq(~(Const(-1, size) << within)),
            whole.eq(~(Const(-1, groups) << full)),
            split.eq(Const(1) << full),
        ]
        return Cat(
            whole[g].replicate(size) | split[g].replicate(size) & part for g in range(groups)
        )
