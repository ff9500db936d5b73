"""LaneParameters: what holds still during a VECTOR job, fetched lane by lane, and taps."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import PARAMETER_LANE_BYTES, Config
from ..isa.instructions import Engine
from .interfaces import job_layout, private_read_signature

__all__ = ["TAP_BITS", "LaneParameters"]

#: Bits of a tap.
TAP_BITS = 9


class LaneParameters(wiring.Component):
    """Fetch a job's parameters, one lane each cycle; taps come from a memory of their own.

    Stands in the place of :class:`~.vector_parameters.VectorParameters` where a read gives one
    lane's parameters and not those of all.

    Parameters
    ----------
    config : Config
        Sizes; there are no thresholds.

    Members
    -------
    job : In(job_layout(Engine.VECTOR))
        Holds still from ``start`` on.
    start : In(1)
        A job begins.
    begin : Out(1)
        Its first word or pixel may be issued in the next cycle, its first tap asked for in two.
    tap : In(range(config.parameter_words))
        Address of a tap word; its data are in ``taps`` one cycle later.
    read : Out(private_read_signature(...))
        Parameter buffer, a lane in each word.
    tap_read : Out(private_read_signature(config.parameter_words, ...))
        Taps, those of all lanes in a word.
    parameters : Out(8 * config.parameter_word_bytes)
        The parameter word, from the third cycle after ``begin`` on.
    taps : Out(8 * config.parameter_word_bytes)
        The tap word, of which each lane has only its tap.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        words, lanes = config.parameter_words, config.columns
        lane_bits = 8 * PARAMETER_LANE_BYTES
        super().__init__(
            {
                "job": In(job_layout(Engine.VECTOR)),
                "start": In(1),
                "begin": Out(1),
                "tap": In(range(words)),
                "read": Out(private_read_signature(lanes * words, lane_bits)),
                "tap_read": Out(private_read_signature(words, TAP_BITS * lanes)),
                "parameters": Out(lanes * lane_bits),
                "taps": Out(lanes * lane_bits),
            }
        )

    @classmethod
    def latency(cls, config: Config) -> int:
        """Return the cycles from ``start`` to ``begin``."""
        return config.columns - 2

    def elaborate(self, platform):
        m = Module()
        lanes, bits = self.config.columns, 8 * PARAMETER_LANE_BYTES
        lane, asks, arrives = Signal(range(lanes)), Signal(), Signal()
        m.d.comb += [
            asks.eq(self.start | (lane != 0)),
            self.begin.eq(lane == self.latency(self.config)),
            self.read.addr.eq(Cat(lane, self.job.work.parameter_addr)),
            self.tap_read.addr.eq(self.tap),
        ]
        m.d.sync += [lane.eq(lane + asks), arrives.eq(asks)]
        parameters = Signal.like(self.parameters, reset_less=True)
        with m.If(arrives):
            m.d.sync += parameters.eq(Cat(parameters[bits:], self.read.data))
        m.d.comb += self.parameters.eq(parameters)
        for index in range(lanes):
            tap = self.tap_read.data.word_select(index, TAP_BITS)
            m.d.comb += self.taps[bits * index : bits * index + TAP_BITS].eq(tap)
        return m
