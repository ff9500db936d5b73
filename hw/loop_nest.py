"""LoopNest: nested counted loops and values that move linearly with them."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth import Const, Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Affine", "LoopNest", "iteration_layout", "nest_layout"]


@dataclass(frozen=True, kw_only=True)
class Affine:
    """A value that is a start plus a stride times the index of each loop.

    Parameters
    ----------
    start : Shape
        Of the start.
    strides : mapping from level to Shape or int
        Levels that the value moves with: with a stride of the nest, or a constant one.
    width : int, optional
        The value is unsigned, modulo ``2**width``; without it the value is signed and exact.
    """

    start: Shape
    strides: Mapping[str, Shape | int]
    width: int | None = None

    def shape(self, counts: Mapping[str, int]) -> Shape:
        """Return the value's shape under loops whose counts have the given widths."""
        if self.width is not None:
            return unsigned(self.width)
        reach = _magnitude(self.start)
        for level, stride in self.strides.items():
            reach += ((1 << counts[level]) - 1) * _magnitude(stride)
        return signed(reach.bit_length() + 1)


def _magnitude(value: Shape | int) -> int:
    return abs(value) if isinstance(value, int) else 1 << (value.width - value.signed)


def nest_layout(counts: Mapping[str, int], values: Mapping[str, Affine]) -> data.StructLayout:
    """Return what describes one nest: iterations of each level, starts, strides."""
    strides = {
        name: data.StructLayout({k: s for k, s in v.strides.items() if not isinstance(s, int)})
        for name, v in values.items()
    }
    return data.StructLayout(
        {
            "counts": data.StructLayout(dict(counts)),
            "start": data.StructLayout({name: v.start for name, v in values.items()}),
            "strides": data.StructLayout(strides),
        }
    )


def iteration_layout(counts: Mapping[str, int], values: Mapping[str, Affine]) -> data.StructLayout:
    """Return what one iteration says: values, and which loops are at their first or last index.

    ``turns`` says of each loop whether all loops inside it are at their last index, and ``ends``
    whether all loops are. They are known from registers as ``last`` is.
    """
    return data.StructLayout(
        {
            "values": data.StructLayout({name: v.shape(counts) for name, v in values.items()}),
            "first": data.StructLayout(dict.fromkeys(counts, 1)),
            "last": data.StructLayout(dict.fromkeys(counts, 1)),
            "turns": data.StructLayout(dict.fromkeys(counts, 1)),
            "ends": 1,
        }
    )


class LoopNest(wiring.Component):
    """Run through nested loops, one iteration per transfer, without multipliers.

    A count of 0 stands for the largest count plus one. The next nest is accepted with the last
    iteration of the running one, so no cycle is lost between nests; with ``pipeline`` it is
    accepted a cycle later, for ``ready`` goes far.

    Parameters
    ----------
    counts : mapping from level to int
        Width of each level's count, outermost level first.
    values : mapping from name to Affine
        Values that accompany each iteration.
    pipeline : int
        That of the configuration.

    Members
    -------
    nest : In(stream.Signature(nest_layout(counts, values)))
        Loops to run.
    o : Out(stream.Signature(iteration_layout(counts, values)))
        Iterations.
    """

    #: Cycles from the transfer of a nest to its first iteration.
    latency = 1

    def __init__(
        self, counts: Mapping[str, int], values: Mapping[str, Affine], pipeline: int = 0
    ) -> None:
        self.counts, self.pipeline = dict(counts), pipeline
        self.values = dict(values)
        super().__init__(
            {
                "nest": In(stream.Signature(nest_layout(counts, values))),
                "o": Out(stream.Signature(iteration_layout(counts, values))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Both are far from here: ``ready``, which may be late, so that it does nothing but enable
        # steps; and whether there is an iteration. Without one, all loops are as at their end.
        idle = Signal(init=1)
        steps, takes = Signal(), self.nest.ready
        ends = self.o.p.ends
        loads, nothing = idle, Mux(idle, ~self.nest.valid, ends)
        if not self.pipeline:
            loads = Signal(init=1)
            nothing = loads & ~self.nest.valid
        m.d.comb += [steps.eq(idle | self.o.ready), takes.eq(loads & steps)]
        with m.If(steps):
            m.d.sync += [self.o.valid.eq(~nothing), idle.eq(nothing)]

        # The innermost loop that is not at its end advances; the loops inside it start over. All
        # of this is known a cycle ahead.
        levels = list(reversed(self.counts))
        turns = {k: Signal(name=f"turns_{k}", init=1) for k in levels}
        advances = {k: Signal(name=f"advances_{k}") for k in levels}
        moves = {k: steps & turns[k] for k in levels}
        following = Const(1, 1)
        for level in levels:
            m.d.comb += self.o.p.turns[level].eq(turns[level])
            last = self._count(m, level, loads, moves[level], turns[level])
            with m.If(steps):
                m.d.sync += [self.o.p.last[level].eq(last), turns[level].eq(following | nothing)]
                m.d.sync += advances[level].eq(following & ~last & ~nothing)
            following = following & last
        with m.If(steps):
            m.d.sync += ends.eq(following)
            if not self.pipeline:
                m.d.sync += loads.eq(following | nothing)
        for name in self.values:
            self._move(m, name, loads, advances, moves)
        return m

    def _count(self, m, level, loads, moves, turn):
        """Keep the iterations that are left, and the flags at both ends; return the next ``last``.

        What is returned holds if there is a step at all.
        """
        width = self.counts[level]
        most, left = (Signal(width, name=f"{level}_{n}", reset_less=True) for n in ("most", "left"))
        # Whether there is one iteration in all; whether one is left of two, and of those to come.
        single, double, one = (
            Signal(name=f"{level}_{n}", reset_less=True) for n in ("single", "double", "one")
        )
        first, last = self.o.p.first[level], self.o.p.last[level]
        count = self.nest.p.counts[level]
        following = Signal(name=f"{level}_following")
        moved = Mux(last, single, one)
        m.d.comb += following.eq(Mux(loads, count == 1, Mux(turn, moved, last)))
        two = Const(2, width)  # 0 if that stands for it
        with m.If(self.nest.ready):
            m.d.sync += [most.eq(count - 1), single.eq(count == 1), double.eq(count == two)]
        with m.If(moves):
            m.d.sync += [
                left.eq(Mux(loads, count - 1, Mux(last, most, left - 1))),
                one.eq(Mux(loads, count == two, Mux(last, double, left == 2))),
                first.eq(loads | last),
            ]
        return following

    def _move(self, m, name, loads, advances, moves):
        """Keep a value at the first iteration of each loop that it moves with."""
        value = self.values[name]
        shape = value.shape(self.counts)
        moving = [level for level in self.counts if level in value.strides]
        start = Signal(shape, name=f"{name}_start", reset_less=True)
        bases = {k: Signal(shape, name=f"{name}_{k}", reset_less=True) for k in moving}
        m.d.comb += self.o.p.values[name].eq(bases[moving[-1]])

        # Each loop has what follows if it advances: to choose is then all that depends on which one
        # does. None advances while a nest is loaded.
        takes, first = self.nest.ready, Signal(shape, name=f"{name}_first")
        m.d.comb += first.eq(self.nest.p.start[name])
        moved, outer = Mux(loads, first, 0), start
        for level in self.counts:
            outer = bases.get(level, outer)
            advanced = Signal(shape, name=f"{name}_advanced_{level}")
            stride = self._stride(m, name, level, takes) if level in moving else 0
            m.d.comb += advanced.eq(outer + stride)
            moved |= Mux(advances[level], advanced, 0)
        following = Signal(shape, name=f"{name}_following")
        m.d.comb += following.eq(moved)
        for level in moving:
            with m.If(moves[level]):
                m.d.sync += bases[level].eq(following)
        with m.If(takes):
            m.d.sync += start.eq(first)

    def _stride(self, m, name, level, loads):
        """Return a stride that holds still while the nest runs."""
        stride = self.values[name].strides[level]
        if isinstance(stride, int):
            return stride
        held = Signal(stride, name=f"{name}_stride_{level}", reset_less=True)
        with m.If(loads):
            m.d.sync += held.eq(self.nest.p.strides[name][level])
        return held
