"""Emission: which columns of a row give a result, and where it goes."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import Engine
from .interfaces import job_layout

__all__ = ["Emission"]


class Emission(wiring.Component):
    """Follow the columns of a VECTOR job and say of each whether it emits, and the addresses.

    Parameters
    ----------
    config : Config
        Size of the activation buffer.

    Members
    -------
    following : In(job_layout(Engine.VECTOR))
        The job that ``start`` begins.
    job : In(job_layout(Engine.VECTOR))
        The same from the next cycle on.
    start : In(1)
        The first column follows.
    column_ends, row_ends : In(1)
        Another column follows; it is the first of another row. ``row_ends`` alone says nothing.
    emits : Out(1)
        The present column emits.
    write_addr, residual_addr : Out(range(config.activation_words))
        Where its result goes, and where its residual lies.
    """

    #: Cycles from ``start`` or ``column_ends`` to what they lead to.
    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "following": In(job_layout(Engine.VECTOR)),
                "job": In(job_layout(Engine.VECTOR)),
                "start": In(1),
                "column_ends": In(1),
                "row_ends": In(1),
                "emits": Out(1),
                "write_addr": Out(range(config.activation_words)),
                "residual_addr": Out(range(config.activation_words)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        loops, requantize = self.job.loops, self.job.requantize
        following, work = self.following.loops, self.following.work
        left = Signal.like(loops.emit_first, reset_less=True)
        emits = Signal(reset_less=True)  # none is left: known a cycle ahead
        m.d.comb += self.emits.eq(emits)
        with m.If(self.start):
            m.d.sync += [left.eq(following.emit_first), emits.eq(following.emit_first == 0)]
        with m.Elif(self.column_ends):
            with m.If(self.row_ends):
                m.d.sync += [left.eq(loops.emit_first), emits.eq(loops.emit_first == 0)]
            with m.Else():
                now = Mux(emits, loops.emit_period, left)
                m.d.sync += [left.eq(now - 1), emits.eq(now == 1)]

        residual_strides = requantize.residual_row_stride, requantize.residual_stride
        for addr, first, row_stride, stride in (
            (self.write_addr, work.write_addr, loops.write_row_stride, loops.write_stride),
            (self.residual_addr, work.residual_addr, *residual_strides),
        ):
            row_addr = Signal.like(addr, name=f"row_{addr.name}", reset_less=True)
            moved = Signal.like(addr, name=f"moved_{addr.name}")
            to_column = addr + Mux(self.emits, stride, 0)
            m.d.comb += moved.eq(Mux(self.row_ends, row_addr + row_stride, to_column))
            with m.If(self.start):
                m.d.sync += [addr.eq(first), row_addr.eq(first)]
            with m.Elif(self.column_ends):
                m.d.sync += addr.eq(moved)
                with m.If(self.row_ends):
                    m.d.sync += row_addr.eq(moved)
        return m
