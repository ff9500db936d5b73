"""JobNest: a loop nest whose counts, starts and strides are fields of a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth import Module, Shape
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.instructions import Engine
from .interfaces import job_layout
from .loop_nest import Affine, LoopNest, iteration_layout

__all__ = ["JobNest", "Move"]


@dataclass(frozen=True)
class Move:
    """A value that moves with loops.

    Parameters
    ----------
    start : str
        Field that holds the start.
    strides : mapping from level to str or int
        Field that holds a level's stride, or a constant one.
    width : int, optional
        The value is modulo ``2**width``; without it, exact.
    """

    start: str
    strides: Mapping[str, str | int]
    width: int | None = None


class JobNest(wiring.Component):
    """Run through the loops that jobs describe, like :class:`LoopNest`.

    Parameters
    ----------
    engine : Engine
        Whose jobs.
    levels : sequence of str
        Fields that hold the counts, outermost first.
    moves : mapping from name to Move
        Values that accompany each iteration.
    pipeline : int
        That of the configuration.

    Members
    -------
    job : In(stream.Signature(job_layout(engine)))
        Loops to run.
    o : Out(stream.Signature(iteration_layout(...)))
        Iterations.
    """

    latency = LoopNest.latency

    def __init__(
        self, engine: Engine, levels: Sequence[str], moves: Mapping[str, Move], pipeline: int = 0
    ) -> None:
        self.moves, self.pipeline = dict(moves), pipeline
        layout = job_layout(engine)
        parts = [name for name, _ in layout if name != "index"]
        self._part = {field: part for part in parts for field, _ in layout[part].shape}
        shapes = {
            field: Shape.cast(layout[part].shape[field].shape) for field, part in self._part.items()
        }
        self.counts = {level: shapes[level].width for level in levels}
        self.values = {
            name: Affine(
                start=shapes[move.start],
                strides={k: shapes.get(s, s) for k, s in move.strides.items()},
                width=move.width,
            )
            for name, move in moves.items()
        }
        super().__init__(
            {
                "job": In(stream.Signature(layout)),
                "o": Out(stream.Signature(iteration_layout(self.counts, self.values))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops = loops = LoopNest(self.counts, self.values, self.pipeline)
        connect(m, loops.o, flipped(self.o))
        m.d.comb += [loops.nest.valid.eq(self.job.valid), self.job.ready.eq(loops.nest.ready)]

        def field(name):
            return self.job.p[self._part[name]][name]

        nest = loops.nest.p
        m.d.comb += [nest.counts[level].eq(field(level)) for level in self.counts]
        for name, move in self.moves.items():
            m.d.comb += nest.start[name].eq(field(move.start))
            for level, stride in move.strides.items():
                if isinstance(stride, str):
                    m.d.comb += nest.strides[name][level].eq(field(stride))
        return m
