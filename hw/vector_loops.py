"""Loops of VECTOR jobs: what moves with them, and how a job starts them."""

from amaranth import Module, Value
from amaranth.lib import data
from amaranth.utils import ceil_log2

from ..isa.config import Config
from ..isa.instructions import Engine, VectorSource
from .job_nest import JobNest, Move

__all__ = ["start_nest", "vector_nest"]

_LEVELS = ("rows", "columns", "kernel_rows", "kernel_columns")


def vector_nest(config: Config) -> JobNest:
    """Return the nest of a VECTOR job's loops; addresses and position move with them."""
    addr = {
        "rows": "row_stride",
        "columns": "column_stride",
        "kernel_rows": "kernel_row_stride",
        "kernel_columns": "kernel_column_stride",
    }
    parameter = {"kernel_rows": "kernel_columns", "kernel_columns": 1}
    pixel = {"rows": "columns", "columns": 1}
    moves = {
        "addr": Move("addr", addr, ceil_log2(config.activation_words)),
        "y": Move("y", {"rows": "row_y", "kernel_rows": "kernel_row_y"}),
        "x": Move("x", {"columns": "column_x", "kernel_columns": "kernel_column_x"}),
        "parameter": Move("parameter_addr", parameter, ceil_log2(config.parameter_words)),
        "pixel": Move("pixel", pixel, ceil_log2(config.accumulator_pixels)),
    }
    return JobNest(Engine.VECTOR, _LEVELS, moves, config.pipeline)


def start_nest(m: Module, nest: JobNest, job: data.View, start: Value) -> None:
    """Put a job into the nest; pixels have no kernel, and taps follow parameters."""
    m.d.comb += [
        nest.job.valid.eq(start),
        nest.job.payload.eq(job),
        nest.job.p.work.parameter_addr.eq(job.work.parameter_addr + 1),
    ]
    with m.If(job.loops.source != VectorSource.ACTIVATION):
        m.d.comb += [nest.job.p.loops.kernel_rows.eq(1), nest.job.p.loops.kernel_columns.eq(1)]
