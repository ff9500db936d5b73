"""Vector: drains accumulators, runs kernel taps, requantizes, writes results."""

from amaranth import Cat, EnableInserter, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import Engine, VectorOperation, VectorSource
from .accumulators import Accumulators
from .delay import delayed
from .interfaces import (
    accumulator_read_signature,
    job_layout,
    private_read_signature,
    read_latency,
    read_signature,
    result_layout,
)
from .lane_parameters import TAP_BITS, LaneParameters
from .requantizer import Requantizer
from .spread import spread
from .tap_unit import TapUnit
from .vector_issue import VectorIssue
from .vector_parameters import VectorParameters

__all__ = ["Vector"]

#: Places for residual words that wait for their sums; four at most do: beside input words one comes
#: every other cycle, and waits for seven, or eight with ``pipeline``.
_RESIDUALS = 8

#: With ``pipeline``, where each quarter of them begins: addresses of which no two bits are equal in
#: all cycles but the lowest, which synthesis would make one register of.
_RESIDUAL_PLACES = (0, 7, 2, 5)


class Vector(wiring.Component):
    """Carry out VECTOR jobs, exactly as :func:`~shiftloom.isa.semantics.execute` says.

    Takes one accumulator pixel or one input word each cycle; a residual beside input words takes a
    cycle of its own. Only the reading of words may wait. A job begins when the one before it is
    complete; one with thresholds of n bits takes its first pixel or word ``2**(n-1) - 1`` cycles
    later than others.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.VECTOR)))
        Work.
    done : Out(1)
        One cycle for each job whose results can be read from the buffer.
    active : Out(1)
        A pixel or input word is taken.
    read : Out(read_signature(config.activation_words, config))
        Activation buffer, for input and residual words.
    write : Out(stream.Signature(result_layout(config)))
        Results; must always be ready.
    will_write : Out(1)
        There is one in the next cycle.
    accumulators : Out(accumulator_read_signature(config))
        Sums of the array.
    parameters : Out(private_read_signature(...))
        Parameter buffer; of a serial machine a lane in each word.
    taps : Out(private_read_signature(...))
        Taps of all lanes, in a serial machine only.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        words = config.activation_words
        super().__init__(
            {
                "job": In(stream.Signature(job_layout(Engine.VECTOR))),
                "done": Out(1),
                "active": Out(1),
                "read": Out(read_signature(words, config)),
                "write": Out(stream.Signature(result_layout(config))),
                "will_write": Out(1),
                "accumulators": Out(accumulator_read_signature(config)),
                **self._parameter_ports(config),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from the transfer of a job to its first pixel or word.

        That is without thresholds, when the engine is idle.
        """
        return 1 + VectorParameters.latency + VectorIssue.latency(config)

    @staticmethod
    def pixel_done_latency(config: Config) -> int:
        """Return the cycles from the last pixel of a job to ``done``."""
        return 1 + Accumulators.latency(config) + Requantizer.latency(config) + 1

    @staticmethod
    def word_done_latency(config: Config) -> int:
        """Return the cycles from the last word of a job, input or residual, to ``done``."""
        taps = read_latency(config) + TapUnit.latency + config.pipeline
        return taps + Requantizer.latency(config) + 1

    def _parameter_ports(self, config):
        words, bits = config.parameter_words, 8 * config.parameter_word_bytes
        if not config.serial:
            return {"parameters": Out(private_read_signature(words, bits))}
        lanes = config.columns
        return {
            "parameters": Out(private_read_signature(lanes * words, bits // lanes)),
            "taps": Out(private_read_signature(words, TAP_BITS * lanes)),
        }

    def elaborate(self, platform):
        m = Module()
        # The serial machine's jobs hold still while they run.
        job = self.job.p if self.config.serial else Signal.like(self.job.p, reset_less=True)
        busy, starts, ends = Signal(), Signal(), Signal()
        m.d.comb += self.job.ready.eq(~busy)
        m.d.sync += [starts.eq(self.job.valid & self.job.ready), self.done.eq(ends)]
        with m.If(self.job.ready):
            m.d.sync += busy.eq(self.job.valid)
            if not self.config.serial:
                m.d.sync += job.eq(self.job.p)
        with m.Elif(ends):
            m.d.sync += busy.eq(0)

        m.submodules.issue = issue = VectorIssue(self.config)
        fetches = LaneParameters if self.config.serial else VectorParameters
        m.submodules.parameters = parameters = fetches(self.config)
        requantizer = Requantizer(self.config)
        m.submodules.requantizer = self._resting(requantizer, busy)
        m.d.comb += [
            # With ``pipeline`` no path leads from the queue to the loops.
            issue.following.eq(job if self.config.pipeline else self.job.p),
            issue.job.eq(job),
            issue.start.eq(starts if self.config.pipeline else self.job.valid & self.job.ready),
            issue.begin.eq(parameters.begin),
            issue.addr.ready.eq(self.read.addr.ready),
            self.read.addr.valid.eq(issue.addr.valid),
            self.read.addr.payload.eq(issue.addr.payload),
            self.accumulators.half.eq(job.work.half),
            self.accumulators.pixel.eq(issue.pixel),
            self.active.eq(issue.active),
        ]
        connect(m, parameters.read, flipped(self.parameters))
        m.d.comb += [
            parameters.job.eq(job),
            parameters.start.eq(starts),
            parameters.tap.eq(issue.parameter),
            requantizer.settings.eq(job.requantize),
            requantizer.parameters.eq(parameters.parameters),
        ]
        self._tap_words = self.parameters.data
        if self.config.serial:
            connect(m, parameters.tap_read, flipped(self.taps))
            self._tap_words = parameters.taps
        if self.config.threshold_bits:
            m.d.comb += requantizer.thresholds.eq(parameters.thresholds)

        token = self._sums(m, job, busy, issue, requantizer)
        tokens = delayed(m, token, requantizer.latency(self.config), "requantizing")
        addend = tokens[requantizer.residual_latency(self.config)]
        self._residuals(m, issue, addend.emits & job.requantize.residual, requantizer)
        m.d.comb += [
            ends.eq(tokens[-1].last),
            self.write.valid.eq(tokens[-1].emits),
            self.will_write.eq(tokens[-2].emits),
            self.write.p.addr.eq(tokens[-1].addr),
            self.write.p.data.eq(requantizer.codes.as_value()),
        ]
        if self.config.bit_lanes:
            self._pack(m, job, requantizer.bits)
        return m

    def _pack(self, m, job, bits):
        """Write one bit of each code, if the job says so, and leave the other bytes alone."""
        size = self.config.columns // 8
        m.d.comb += self.write.p.mask.eq(~0)
        with m.If(job.requantize.pack):
            m.d.comb += [
                self.write.p.data.eq(bits.replicate(8)),
                self.write.p.mask.eq(Cat((job.work.part == n).replicate(size) for n in range(8))),
            ]

    def _with_data(self, m, value, name):
        """Return a value that comes a cycle after its address, when its data come."""
        return delayed(m, value, read_latency(self.config) - 1, f"{name}_reading")[-1]

    def _resting(self, block, busy):
        """Let a block rest between jobs: simulation is faster, but hardware has an enable for it.

        It leads to thousands of registers, too slowly for a deep pipeline.
        """
        return block if self.config.pipeline else EnableInserter(busy)(block)

    def _sums(self, m, job, busy, issue, requantizer):
        """Bring sums to the requantizer, from taps or accumulators; return their token."""
        loops = job.loops
        taps = TapUnit(self.config)
        m.submodules.taps = self._resting(taps, busy)
        drained = Signal.like(requantizer.values, reset_less=True)
        summing = read_latency(self.config) - 1 + taps.latency + self.config.pipeline
        tokens = delayed(m, issue.token, summing, "summing")
        token = Signal.like(issue.token)
        m.d.comb += [
            taps.maximum.eq(loops.operation == VectorOperation.MAX),
            taps.unsigned.eq(loops.unsigned),
            taps.step.eq(self._with_data(m, issue.step, "step")),
            taps.word.eq(self.read.data),
            taps.taps.eq(self._tap_words),
        ]
        from_words = Signal(reset_less=True)  # goes to all lanes, and is not wanted at once
        m.d.sync += from_words.eq(loops.source == VectorSource.ACTIVATION)
        with m.If(from_words):
            m.d.comb += token.eq(tokens[-1])
        with m.Else():
            m.d.comb += token.eq(tokens[Accumulators.latency(self.config)])
        if self.config.pipeline:
            self._either(m, loops, taps.totals, drained, requantizer.values)
            return token
        with m.If(busy):
            m.d.sync += drained.eq(self.accumulators.data)
        with m.If(from_words):
            m.d.comb += requantizer.values.eq(taps.totals)
        with m.Else():
            m.d.comb += requantizer.values.eq(drained)
        return token

    def _either(self, m, loops, totals, drained, values):
        """Choose by clearing the registers that are not wanted: no sum waits for a choice."""
        held = Signal.like(drained, reset_less=True)
        from_taps = spread(m, loops.source == VectorSource.ACTIVATION, len(totals), "from_taps")
        for lane, from_tap in enumerate(from_taps):
            with m.If(from_tap):
                m.d.sync += [held[lane].eq(totals[lane]), drained[lane].eq(0)]
            with m.Else():
                m.d.sync += [held[lane].eq(0), drained[lane].eq(self.accumulators.data[lane])]
        m.d.comb += values.eq(held.as_value() | drained.as_value())

    def _residuals(self, m, issue, pops, requantizer):
        """Keep residual words in order until their sums need them."""
        width = len(self.read.data)
        # Words come late in a cycle: the buffer's memory and a choice of banks are before them.
        word = Signal(width, name="residual_word", reset_less=True)
        arrives = Signal(name="residual_arrives")
        asked = self._with_data(m, issue.residual, "residual")
        m.d.sync += [word.eq(self.read.data), arrives.eq(asked)]
        # Reset keeps these registers apart: neighbours have words and addresses of their own.
        places = _RESIDUAL_PLACES if self.config.pipeline else (0,)
        size = width // len(places)
        for part, first in enumerate(places):
            words = memory.Memory(shape=size, depth=_RESIDUALS, init=[])
            m.submodules["residuals" if len(places) == 1 else f"residuals_{part}"] = words
            write, read = words.write_port(), words.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(arrives),
                write.data.eq(word[part * size : (part + 1) * size]),
                requantizer.residual[part * size : (part + 1) * size].eq(read.data),
            ]
            for port, moves in ((write, arrives), (read, pops)):
                addr = port.addr
                if first:
                    addr = Signal.like(port.addr, init=first)
                    m.d.comb += port.addr.eq(addr)
                m.d.sync += addr.eq(addr + moves)
