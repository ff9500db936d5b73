"""VectorIssue: walks the loops of a VECTOR job and asks for the words it needs."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa.config import Config
from ..isa.instructions import Engine, VectorSource
from .emission import Emission
from .interfaces import job_layout
from .job_nest import JobNest, Move
from .tap_unit import tap_step_layout

__all__ = ["VectorIssue", "token_layout"]

_LEVELS = ("rows", "columns", "kernel_rows", "kernel_columns")


def token_layout(config: Config) -> data.StructLayout:
    """Return what accompanies a word or pixel through the pipeline."""
    return data.StructLayout(
        {
            "emits": 1,  # completes a result
            "last": 1,  # of its job
            "addr": range(config.activation_words),  # of the result
        }
    )


def _moves(config):
    """Return what moves with the loops: addresses and position."""
    addr = {
        "rows": "row_stride",
        "columns": "column_stride",
        "kernel_rows": "kernel_row_stride",
        "kernel_columns": "kernel_column_stride",
    }
    parameter = {"kernel_rows": "kernel_columns", "kernel_columns": 1}
    pixel = {"rows": "columns", "columns": 1}
    return {
        "addr": Move("addr", addr, ceil_log2(config.activation_words)),
        "y": Move("y", {"rows": "row_y", "kernel_rows": "kernel_row_y"}),
        "x": Move("x", {"columns": "column_x", "kernel_columns": "kernel_column_x"}),
        "parameter": Move("parameter_addr", parameter, ceil_log2(config.parameter_words)),
        "pixel": Move("pixel", pixel, ceil_log2(config.accumulator_pixels)),
    }


class VectorIssue(wiring.Component):
    """Issue one pixel or input word each cycle, and residual words between.

    With accumulators as the source, a residual word is read beside its pixel; with input words as
    the source, in the cycle after the last one of its kernel. Waits only for ``addr``.

    Parameters
    ----------
    config : Config
        Sizes of the buffers.

    Members
    -------
    job : In(job_layout(Engine.VECTOR))
        Holds still from ``start`` to the last token.
    start : In(1)
        Begin.
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

    #: Cycles from ``start`` to the first ``addr`` or ``pixel``; all other outputs follow by one.
    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "job": In(job_layout(Engine.VECTOR)),
                "start": In(1),
                "addr": Out(stream.Signature(range(config.activation_words))),
                "pixel": Out(range(config.accumulator_pixels)),
                "active": Out(1),
                "step": Out(tap_step_layout()),
                "parameter": Out(range(config.parameter_words)),
                "residual": Out(1),
                "token": Out(token_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.nest = nest = JobNest(Engine.VECTOR, _LEVELS, _moves(self.config))
        m.submodules.emission = emission = Emission(self.config)
        loops, first, last = self.job.loops, nest.o.p.first, nest.o.p.last
        takes_words = loops.source == VectorSource.ACTIVATION
        self._start(m, nest, takes_words)

        # What is issued now: the input word (or pixel), the residual word, or the latter's turn.
        emits = emission.emits & last.kernel_rows & last.kernel_columns
        adds = emits & self.job.requantize.residual
        residual_turn = Signal()
        reads_input = takes_words & ~residual_turn
        completes = residual_turn | ~(takes_words & adds)
        issues = Signal()
        m.d.comb += [
            self.addr.valid.eq(nest.o.valid & (takes_words | adds)),
            self.addr.payload.eq(Mux(reads_input, nest.o.p.values.addr, emission.residual_addr)),
            self.pixel.eq(nest.o.p.values.pixel),
            issues.eq(nest.o.valid & (~self.addr.valid | self.addr.ready)),
            self.active.eq(issues & ~residual_turn),
            nest.o.ready.eq(issues & completes),
            emission.job.eq(self.job),
            emission.start.eq(self.start),
            emission.column_ends.eq(issues & completes & last.kernel_rows & last.kernel_columns),
            emission.row_ends.eq(last.columns),
        ]
        m.d.sync += [
            self.residual.eq(issues & adds & ~reads_input),
            self.token.emits.eq(issues & completes & emits),
            self.token.last.eq(issues & completes & last.as_value().all()),
            self.token.addr.eq(emission.write_addr),
            self.step.valid.eq(issues & reads_input),
            self.step.row_begins.eq(first.columns),
            self.step.first.eq(first.kernel_rows & first.kernel_columns),
        ]
        with m.If(issues):
            m.d.sync += residual_turn.eq(~completes)
        self._place(m, nest.o.p.values, loops)
        return m

    def _start(self, m, nest, takes_words):
        """Put the job into the loop nest; pixels have no kernel, and taps follow parameters."""
        m.d.comb += [
            nest.job.valid.eq(self.start),
            nest.job.payload.eq(self.job),
            nest.job.p.work.parameter_addr.eq(self.job.work.parameter_addr + 1),
        ]
        with m.If(~takes_words):
            m.d.comb += [nest.job.p.loops.kernel_rows.eq(1), nest.job.p.loops.kernel_columns.eq(1)]

    def _place(self, m, values, loops):
        """Say where a word lies: inside the feature map or not, and at which kernel step."""
        y_inside = (values.y >= 0) & (values.y < loops.height)
        x_inside = (values.x >= 0) & (values.x < loops.width)
        m.d.sync += [
            self.step.inside.eq(y_inside & x_inside),
            self.step.step.eq(values.parameter),  # only differences matter
            self.parameter.eq(values.parameter),
        ]
