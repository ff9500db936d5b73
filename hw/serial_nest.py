"""SerialNest: the loops of the serial machine, for work of the array and of the vector unit."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from ..isa.instructions import Opcode
from ..isa.serial import COUNT_BITS, POSITION_BITS
from .serial_fields import capture, instruction_word_layout

__all__ = ["SerialNest"]

#: Where an engine's loops are described, and by which instruction the work itself.
_WORK = {Opcode.MAC_LOOPS: Opcode.MAC, Opcode.VECTOR_LOOPS: Opcode.VECTOR}

#: What the five levels are for each engine, outermost first. Lanes lie between the third and the
#: fourth: there the vector unit's kernel begins, and the array's pixels.
_LEVELS = {
    Opcode.MAC_LOOPS: ("block", "kernel_row", "kernel_column", "row", "column"),
    Opcode.VECTOR_LOOPS: (None, "row", "column", "kernel_row", "kernel_column"),
}

#: The level that lanes come before.
_KERNEL = 3

#: Positions: name, size of the map, the two levels that move it, and by how much the vector unit's
#: pixels and kernel do.
_POSITIONS = {
    "y": ("y", "height", (1, 3), ("row_y", "kernel_row_y")),
    "x": ("x", "width", (2, 4), ("column_x", "kernel_column_x")),
}

#: Bits of what a level adds to a position.
_STEP_BITS = 6


class SerialNest(wiring.Component):
    """Run through the loops of a piece of work, and say where each operand lies.

    All it needs to know it takes from the instructions' words as they pass. Work of the vector
    unit has one loop more, over the lanes, between the columns and the kernel; nothing moves with
    it.

    What the outer loops do next is made ready in registers while the two innermost run, in the
    cycle after anything of it has changed. So the last iteration of these two, and what the nest
    says of the outer loops' ends then, come two cycles after the start or the last such at least.

    Parameters
    ----------
    config : Config
        Size of the activation buffer; number of lanes.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions; none may come while the nest runs.
    start : In(1)
        Begin; the first iteration is there in the next cycle.
    lanes : In(1)
        There are lanes; otherwise the nest passes them over.
    single : In(1)
        The kernel has one step, whatever the settings say.
    skip : In(1)
        The present result's lanes and kernel steps are left out.
    step : In(1)
        Go on to the next iteration.
    addr : Out(range(config.activation_words))
        Word of the activation buffer.
    inside : Out(1)
        The position lies inside the feature map.
    lane : Out(range(config.columns))
        Lane.
    begins : Out(1)
        First iteration of the two innermost loops.
    first_tile : Out(1)
        First iteration of all loops but the two innermost.
    inner_ends, pixel_ends, row_ends, ends : Out(1)
        Last iteration of the two innermost loops; of the lanes too; of the third too; of all.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        # A vector unit with a lane for each channel has a nest of its own.
        self._loops = list(_WORK) if config.serial == 1 else [Opcode.MAC_LOOPS]
        inputs = ("start", "lanes", "single", "skip", "step")
        outputs = ("begins", "first_tile", "inner_ends", "pixel_ends", "row_ends", "ends", "inside")
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                **{name: In(1) for name in inputs},
                "addr": Out(range(config.activation_words)),
                "lane": Out(range(config.columns)),
                **{name: Out(1) for name in outputs},
            }
        )

    def elaborate(self, platform):
        m = Module()
        last = [Signal(name=f"last_{n}") for n in range(len(_LEVELS[Opcode.MAC_LOOPS]))]
        last_lane, ends_inner = Signal(), Signal()
        m.d.comb += [
            last_lane.eq(self.skip | ~self.lanes | self.lane.all()),
            self.inner_ends.eq(last[3] & last[4]),
            ends_inner.eq(self.step & self.inner_ends),
        ]
        # A level moves when all levels inside it are at their ends; the outermost of those that
        # move advances, and the others start over. Whether a lane is the last is known late.
        moves, inner = [None] * _KERNEL, Const(1)
        advances = [Signal(name=f"advances_{n}") for n in range(_KERNEL)]
        for level in reversed(range(_KERNEL)):
            m.d.comb += advances[level].eq(inner & ~last[level])
            soon = Signal(name=f"soon_{level}", reset_less=True)
            m.d.sync += soon.eq(last_lane & inner)
            moves[level] = ends_inner & soon
            inner = inner & last[level]
            if level == _KERNEL - 1:
                m.d.comb += self.pixel_ends.eq(self.inner_ends & soon)
            elif level == _KERNEL - 2:
                m.d.comb += self.row_ends.eq(self.inner_ends & soon)
        all_end = Signal(reset_less=True)
        m.d.sync += all_end.eq(last_lane & inner)
        m.d.comb += self.ends.eq(self.inner_ends & all_end)
        moves += [self.step & last[4], self.step]

        for level in range(len(last)):
            self._count(m, level, moves[level], last[level])
        with m.If(self.start):
            m.d.sync += self.lane.eq(0)
        with m.Elif(ends_inner):
            m.d.sync += self.lane.eq(Mux(last_lane, 0, self.lane + 1))
        with m.If(self.start):
            m.d.sync += [self.begins.eq(1), self.first_tile.eq(1)]
        with m.Elif(self.step):
            m.d.sync += [
                self.begins.eq(self.inner_ends),
                self.first_tile.eq(self.first_tile & ~self.inner_ends),
            ]
        self._move_addr(m, moves, advances, last, last_lane)
        walk = moves, advances, ends_inner, last_lane
        y = self._position(m, _POSITIONS["y"], walk, last)
        x = self._position(m, _POSITIONS["x"], walk, last)
        m.d.comb += self.inside.eq(y & x)
        return m

    def _count(self, m, level, moves, last):
        """Count the iterations of a level that are left."""
        count = Signal(COUNT_BITS, name=f"count_{level}", reset_less=True)
        left = Signal.like(count, name=f"left_{level}")
        for loops in self._loops:
            name = _LEVELS[loops][level]
            if name is None:  # the vector unit has a level less
                with m.If(self.word.valid & (self.word.opcode == loops)):
                    m.d.sync += count.eq(1)
            else:
                capture(m, self.word, count, _WORK[loops] if name == "row" else loops, f"{name}s")
        single, ends = (Signal(name=f"{n}_{level}", reset_less=True) for n in ("single", "ends"))
        m.d.sync += single.eq(count == 1)
        m.d.comb += last.eq(ends)
        if level >= _KERNEL:
            m.d.comb += last.eq(ends | self.single | self.skip)
        # One selects and counts, so that lookup table and carry are one cell.
        counts = Signal(name=f"counts_{level}")
        m.d.comb += counts.eq(~self.start & ~last)
        less = (left + counts.replicate(len(left)))[: len(left)]
        with m.If(self.start | moves):
            m.d.sync += [left.eq(Mux(counts, less, count)), ends.eq(Mux(counts, left == 2, single))]

    def _move_addr(self, m, moves, advances, last, last_lane):
        """Keep the address at the first iteration of each loop."""
        bits, drop = len(self.addr), exact_log2(self.config.word_bytes)
        bases, strides = [], []
        for level in range(len(moves)):
            base = Signal(bits, name=f"addr_{level}", reset_less=True)
            stride = Signal(bits, name=f"stride_{level}", reset_less=True)
            for loops in self._loops:
                if (name := _LEVELS[loops][level]) is not None:
                    units = drop if loops is Opcode.MAC_LOOPS else 0
                    capture(m, self.word, stride, loops, f"{name}_stride", drop=units)
            bases.append(base)
            strides.append(stride)
        for loops in self._loops:
            units = drop if loops is Opcode.MAC_LOOPS else 0
            capture(m, self.word, bases[0], _WORK[loops], "addr", drop=units)
        with m.If(self.start):
            m.d.sync += [base.eq(bases[0]) for base in bases[1:]]
        outer, base, stride, moved = (
            Signal(bits, name=n, reset_less=True) for n in ("outer", "base", "stride", "moved")
        )
        for level in range(_KERNEL):
            with m.If(advances[level]):
                m.d.comb += [base.eq(bases[level]), stride.eq(strides[level])]
        with m.If(last_lane):
            m.d.sync += outer.eq(base + stride)
        with m.Else():
            m.d.sync += outer.eq(bases[_KERNEL - 1])  # where lanes start over
        inner = Mux(last[4], bases[3], bases[4]) + Mux(last[4], strides[3], strides[4])
        m.d.comb += moved.eq(Mux(self.inner_ends, outer, inner[:bits]))
        for level in range(len(moves)):
            with m.If(moves[level]):
                m.d.sync += bases[level].eq(outer if level < _KERNEL else moved)
        m.d.comb += self.addr.eq(bases[-1])

    def _position(self, m, position, walk, last):
        """Keep a position, which two levels move; return whether it lies inside."""
        name, limit, levels, steps = position
        (outer, inner), (moves, advances, ends_inner, last_lane) = levels, walk
        start, far, near = (
            Signal(signed(POSITION_BITS), name=f"{name}_{n}", reset_less=True)
            for n in ("start", outer, inner)
        )
        size = Signal(COUNT_BITS, name=limit, reset_less=True)
        far_step, near_step = (
            Signal(_STEP_BITS, name=f"{name}_step_{n}", reset_less=True) for n in levels
        )
        for loops in self._loops:
            # What is the kernel for the one engine is the pixel for the other.
            swapped = loops is Opcode.MAC_LOOPS
            capture(m, self.word, start, _WORK[loops], name)
            capture(m, self.word, size, loops, limit)
            capture(m, self.word, far_step, loops, steps[1 if swapped else 0])
            capture(m, self.word, near_step, loops, steps[0 if swapped else 1])

        with m.If(self.start):
            m.d.sync += [far.eq(start), near.eq(start)]
        soon, moved = (Signal.like(start, name=f"{name}_{n}") for n in ("soon", "moved"))
        with m.If(~last_lane):
            m.d.sync += soon.eq(far)
        with m.Elif(Cat(advances[:outer]).any()):
            m.d.sync += soon.eq(start)
        with m.Else():
            m.d.sync += soon.eq(far + Mux(advances[outer], far_step, 0))
        with m.If(ends_inner):
            m.d.sync += far.eq(soon)
        m.d.comb += moved.eq(near + near_step)
        with m.If(last[inner]):  # the level inside this one, if there is one, has ended as well
            over = soon if inner == _KERNEL else Mux(self.inner_ends, soon, far)
            m.d.comb += moved.eq(over)
        with m.If(moves[inner]):
            m.d.sync += near.eq(moved)
        return near.as_unsigned() < size
