"""VectorIssue: walks the loops of a VECTOR job and asks for the words it needs."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from ..isa.config import Config
from ..isa.instructions import Engine, VectorSource
from .delay import delayed
from .emission import Emission
from .interfaces import job_layout
from .skid import Skid
from .tap_unit import tap_step_layout
from .vector_loops import start_nest, vector_nest

__all__ = ["VectorIssue", "token_layout"]


def token_layout(config: Config) -> data.StructLayout:
    """Return what accompanies a word or pixel through the pipeline."""
    return data.StructLayout(
        {
            "emits": 1,  # completes a result
            "last": 1,  # of its job
            "addr": range(config.activation_words),  # of the result
        }
    )


class VectorIssue(wiring.Component):
    """Issue one pixel or input word each cycle, and residual words between.

    With accumulators as the source, a residual word is read beside its pixel; with input words as
    the source, in the cycle after the last one of its kernel. Waits only for ``addr``, and a
    register stage keeps that away from the loops.

    Parameters
    ----------
    config : Config
        Sizes of the buffers.

    Members
    -------
    following : In(job_layout(Engine.VECTOR))
        The job that ``start`` begins.
    job : In(job_layout(Engine.VECTOR))
        The same from the next cycle to its last token.
    start : In(1)
        A job begins; the one before has ended.
    begin : In(1)
        Its first word or pixel may be issued :meth:`latency` cycles later; not before the cycle
        after ``start``.
    addr : Out(stream.Signature(range(config.activation_words)))
        Input and residual words to read.
    pixel : Out(range(config.accumulator_pixels))
        Accumulators to read.
    active : Out(1)
        A pixel or input word is issued.
    step : Out(tap_step_layout())
        Of the word that was read in the cycle before.
    parameter : Out(range(config.parameter_words))
        Tap word for that word.
    residual : Out(1)
        The word that was read in the cycle before is a residual.
    token : Out(token_layout(config))
        Of what was issued in the cycle before.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "following": In(job_layout(Engine.VECTOR)),
                "job": In(job_layout(Engine.VECTOR)),
                "start": In(1),
                "begin": In(1),
                "addr": Out(stream.Signature(range(config.activation_words))),
                "pixel": Out(range(config.accumulator_pixels)),
                "active": Out(1),
                "step": Out(tap_step_layout()),
                "parameter": Out(range(config.parameter_words)),
                "residual": Out(1),
                "token": Out(token_layout(config)),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from ``begin`` to the first ``addr`` or ``pixel``.

        All other outputs follow by one.
        """
        return 1 + 2 * config.pipeline

    def elaborate(self, platform):
        m = Module()
        pipeline = self.config.pipeline
        m.submodules.nest = nest = vector_nest(self.config)
        m.submodules.emission = emission = Emission(self.config)
        m.submodules.asked = asked = Skid(self._request_layout())
        start_nest(m, nest, self.following, self.start)
        m.d.comb += [
            emission.following.eq(self.following),
            emission.job.eq(self.job),
            emission.start.eq(self.start),
        ]
        steps = self._steps(m, nest)
        begins = delayed(m, self.begin, pipeline, "begin")[-1]  # as late as the iterations are
        begun = Signal()
        with m.If(begins):
            m.d.sync += begun.eq(1)
        with m.Elif(~steps.valid):
            m.d.sync += begun.eq(0)
        may = begun if pipeline else begun | begins
        self._ask(m, steps, emission, asked.i, may)
        self._place(m, steps.p.values, asked.i.p)
        self._issue(m, asked.o)
        return m

    def _steps(self, m, nest):
        """Return the iterations of the loops, which with ``pipeline`` are a step ahead.

        Then nothing that is asked for leads to the enables of the loops.
        """
        if not self.config.pipeline:
            return nest.o
        m.submodules.ahead = ahead = Skid(nest.o.p.shape())
        connect(m, nest.o, ahead.i)
        return ahead.o

    def _ask(self, m, steps, emission, asked, may):
        """Ask for the input word (or pixel), then for the residual word in a turn of its own."""
        first, values, turns = steps.p.first, steps.p.values, steps.p.turns
        takes_words, adds, takes_turns = self._settings(m)
        emits = emission.emits & turns.columns
        adds &= emits
        residual_turn = Signal()
        moves = Signal()
        reads_input = takes_words & ~residual_turn
        completes = residual_turn | ~(takes_turns & emits)
        m.d.comb += [
            asked.valid.eq(steps.valid & may),
            moves.eq(asked.valid & asked.ready),
            steps.ready.eq(may & asked.ready & completes),
            asked.p.reads.eq(takes_words | adds),
            asked.p.addr.eq(Mux(reads_input, values.addr, emission.residual_addr)),
            asked.p.pixel.eq(values.pixel),
            asked.p.active.eq(~residual_turn),
            asked.p.residual.eq(adds & ~reads_input),
            asked.p.token.emits.eq(completes & emits),
            asked.p.token.last.eq(completes & steps.p.ends),
            asked.p.token.addr.eq(emission.write_addr),
            asked.p.step.valid.eq(reads_input),
            asked.p.step.row_begins.eq(first.columns),
            asked.p.step.first.eq(first.kernel_rows & first.kernel_columns),
            emission.column_ends.eq(moves & completes & turns.columns),
            emission.row_ends.eq(steps.p.last.columns),
        ]
        with m.If(moves):
            m.d.sync += residual_turn.eq(~completes)

    def _settings(self, m):
        """Return what a job says for all its words: takes words, adds residuals, and does both."""
        taken = self.following.loops.source == VectorSource.ACTIVATION
        residual = self.following.requantize.residual
        held = [Signal(name=n, reset_less=True) for n in ("takes_words", "adds", "takes_turns")]
        with m.If(self.start):
            m.d.sync += Cat(held).eq(Cat(taken, residual, taken & residual))
        return held

    def _request_layout(self):
        """Return what is known of a pixel or word before it is issued."""
        return data.StructLayout(
            {
                "reads": 1,  # a word
                "addr": range(self.config.activation_words),
                "pixel": range(self.config.accumulator_pixels),
                "parameter": range(self.config.parameter_words),
                "active": 1,
                "residual": 1,
                "token": token_layout(self.config),
                "step": tap_step_layout(),
            }
        )

    def _place(self, m, values, request):
        """Say where a word lies: inside the feature map or not, and at which kernel step."""
        loops = self.job.loops
        y_inside = (values.y >= 0) & (values.y < loops.height)
        x_inside = (values.x >= 0) & (values.x < loops.width)
        m.d.comb += [
            request.step.inside.eq(y_inside & x_inside),
            request.step.step.eq(values.parameter),  # only differences matter
            request.parameter.eq(values.parameter),
        ]

    def _issue(self, m, asked):
        """Issue what is asked for when its word can be read."""
        issues = Signal()
        m.d.comb += [
            self.addr.valid.eq(asked.valid & asked.p.reads),
            self.addr.payload.eq(asked.p.addr),
            self.pixel.eq(asked.p.pixel),
            asked.ready.eq(~asked.p.reads | self.addr.ready),
            issues.eq(asked.valid & asked.ready),
            self.active.eq(issues & asked.p.active),
        ]
        m.d.sync += [
            self.residual.eq(issues & asked.p.residual),
            self.token.eq(asked.p.token),
            self.token.emits.eq(issues & asked.p.token.emits),
            self.token.last.eq(issues & asked.p.token.last),
            self.step.eq(asked.p.step),
            self.step.valid.eq(issues & asked.p.step.valid),
        ]
        m.d.sync += self.parameter.eq(asked.p.parameter)
