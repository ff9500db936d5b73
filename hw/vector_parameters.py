"""VectorParameters: fetches what holds still during a VECTOR job, and then serves taps."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import Engine
from .delay import delayed
from .interfaces import job_layout, parameter_latency, private_read_signature
from .threshold_unit import ThresholdUnit, table_write_layout

__all__ = ["VectorParameters"]


class VectorParameters(wiring.Component):
    """Fetch a job's parameter word and its threshold words, then pass on addresses of taps.

    Thresholds of n bits are ``2**(n-1)`` words. All but one of them keep the job waiting: the port
    is free for one word before the first tap.

    Parameters
    ----------
    config : Config
        Sizes; without thresholds in it no job waits.

    Members
    -------
    job : In(job_layout(Engine.VECTOR))
        Holds still from ``start`` on.
    start : In(1)
        A job begins.
    begin : Out(1)
        Its first word or pixel may be issued in the next cycle, its first tap asked for in two.
    tap : In(range(config.parameter_words))
        Address of a tap word; its data are in ``read.data`` after ``parameter_latency`` cycles.
    read : Out(private_read_signature(...))
        Parameter buffer.
    parameters : Out(8 * config.parameter_word_bytes)
        The parameter word, from one cycle after the buffer's answer to ``start`` on.
    thresholds : Out(table_write_layout(config))
        Threshold words.
    """

    #: Cycles from ``start`` to ``begin`` without thresholds.
    latency = 0

    def __init__(self, config: Config) -> None:
        self.config = config
        bits = 8 * config.parameter_word_bytes
        super().__init__(
            {
                "job": In(job_layout(Engine.VECTOR)),
                "start": In(1),
                "begin": Out(1),
                "tap": In(range(config.parameter_words)),
                "read": Out(private_read_signature(config.parameter_words, bits)),
                "parameters": Out(bits),
                "thresholds": Out(table_write_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        work = self.job.work
        fetched, loads = Signal(), Signal()
        threshold_addr = Signal.like(self.read.addr, reset_less=True)
        m.d.comb += [
            self.begin.eq(self.start),
            self.read.addr.eq(Mux(loads, threshold_addr, self.tap)),
        ]
        with m.If(self.start):
            m.d.comb += self.read.addr.eq(work.parameter_addr)
        m.d.comb += fetched.eq(self._read(m, self.start, "start"))
        parameters = Signal.like(self.parameters, reset_less=True)
        with m.If(fetched):
            m.d.sync += parameters.eq(self.read.data)
        m.d.comb += self.parameters.eq(parameters)
        if self.config.threshold_bits:
            self._load(m, loads, threshold_addr)
        return m

    def _load(self, m, loads, addr):
        """Read threshold words one after the other."""
        bits, word = self.job.requantize.threshold_bits, Signal.like(self.thresholds.word)
        lead = ThresholdUnit.write_lead(self.config)
        last = Cat(bits > n for n in range(1, 1 + len(word)))  # 2**(bits - 1) - 1
        m.d.comb += [
            self.thresholds.valid.eq(self._read(m, loads, "loads", lead)),
            self.thresholds.word.eq(self._read(m, word, "word", lead)),
            self.thresholds.pairs.as_value().eq(self.read.data),
        ]
        m.d.sync += [
            addr.eq(Mux(self.start, self.job.work.threshold_addr, addr + 1)),
            word.eq(Mux(self.start, 0, word + 1)),
        ]
        with m.If(self.start):
            m.d.sync += loads.eq(bits != 0)
        with m.Elif(word == last):
            m.d.sync += loads.eq(0)
        with m.If(last != 0):
            m.d.comb += self.begin.eq(loads & (word + 1 == last))
        return m

    def _read(self, m, value, name, lead=0):
        """Return what goes with an address when its data come, or some cycles before that."""
        return delayed(m, value, parameter_latency(self.config) - lead, f"{name}_read")[-1]
