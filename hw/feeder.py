"""Feeder: the operands of MAC jobs, in the order the array takes them."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from ..isa.config import Config
from ..isa.instructions import Engine
from .accumulators import Accumulators, operation_layout
from .bit_array import bit_control_layout
from .bit_feeder import BitFeeder
from .interfaces import job_layout, window_read_signature
from .job_nest import JobNest, Move
from .saturate import saturate

__all__ = ["Feeder"]

_TILE_LEVELS = ("blocks", "groups", "kernel_rows", "kernel_columns")
_PIXEL_LEVELS = ("rows", "columns")


def _moves(config):
    """Return what moves with the loops: address, position and accumulator."""
    addr = {
        "blocks": "block_stride",
        "groups": config.rows,
        "kernel_rows": "kernel_row_stride",
        "kernel_columns": "kernel_column_stride",
        "rows": "row_stride",
        "columns": "column_stride",
    }
    y = {"kernel_rows": "kernel_row_y", "rows": "row_y"}
    x = {"blocks": "block_x", "kernel_columns": "kernel_column_x", "columns": "column_x"}
    pixel = {"rows": "columns", "columns": 1}
    return {
        "addr": Move("addr", addr, ceil_log2(config.activation_bytes)),
        "y": Move("y", y),
        "x": Move("x", x),
        "pixel": Move("pixel", pixel, ceil_log2(config.accumulator_pixels)),
    }


class Feeder(wiring.Component):
    """Walk the loops of MAC jobs and read, align, pad and flip one operand vector each cycle.

    Takes the next job with the last operand of the present one. Waits before the first operand of
    a tile until its weights are pending, and before it adds to accumulators that changed so
    recently that they cannot be read yet.

    Parameters
    ----------
    config : Config
        Rows of the array, size of the buffer and of the accumulators.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.MAC)))
        What to feed.
    pending : In(1)
        The weights of the next tile are pending.
    swaps, ends : Out(1)
        The next tile begins; it is its job's last.
    read : Out(window_read_signature(config))
        Activation buffer.
    operands : Out(data.ArrayLayout(signed(8), config.rows))
        For the array; 0 for bitwise tiles.
    bits, control : Out(config.bit_lanes), Out(bit_control_layout(config))
        For the bit array, if there is one.
    swap : Out(1)
        For the array: the next tile begins with the operands of the next cycle.
    operation : Out(operation_layout(config))
        What to do with the result of ``operands``.
    """

    #: Cycles from ``swaps`` to the operands that it announces; ``swap`` comes one cycle before.
    latency = 4

    def __init__(self, config: Config) -> None:
        self.config = config
        bits = {"bits": Out(config.bit_lanes), "control": Out(bit_control_layout(config))}
        super().__init__(
            {
                **(bits if config.bit_lanes else {}),
                "job": In(stream.Signature(job_layout(Engine.MAC))),
                "pending": In(1),
                "swaps": Out(1),
                "ends": Out(1),
                "read": Out(window_read_signature(config)),
                "operands": Out(data.ArrayLayout(signed(8), config.rows)),
                "swap": Out(1),
                "operation": Out(operation_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        levels = _TILE_LEVELS + _PIXEL_LEVELS
        self._again = Signal()  # the words of the operand before are read once
        m.submodules.nest = nest = JobNest(Engine.MAC, levels, _moves(self.config))
        connect(m, flipped(self.job), nest.job)
        job = Signal.like(self.job.p, reset_less=True)
        with m.If(self.job.valid & self.job.ready):
            m.d.sync += job.eq(self.job.p)

        values, first, last = nest.o.p.values, nest.o.p.first, nest.o.p.last
        tile_begins = Cat(first[level] for level in _PIXEL_LEVELS).all()
        tile_is_first = Cat(first[level] for level in _TILE_LEVELS).all()
        operation = Signal(operation_layout(self.config))
        m.d.comb += [
            operation.valid.eq(nest.o.valid & nest.o.ready),
            operation.half.eq(job.work.half),
            operation.pixel.eq(values.pixel),
            operation.overwrite.eq(tile_is_first & ~job.work.accumulate),
            operation.last.eq(last.as_value().all()),
            nest.o.ready.eq((~tile_begins | self.pending) & ~self._unsettled(m, operation)),
            self.swaps.eq(operation.valid & tile_begins),
            self.ends.eq(Cat(last[level] for level in _TILE_LEVELS).all()),
        ]
        if self.config.bit_lanes:
            m.d.comb += operation.double.eq(tile_is_first & job.work.double & job.loops.bitwise)

        swap, operations = self.swaps, [operation]
        for stage in range(self.latency):
            moved = Signal.like(operation, name=f"operation_{stage}")
            m.d.sync += moved.eq(operation)
            operation = moved
            operations.append(moved)
            if stage == 0:
                m.d.comb += self.read.valid.eq(operation.valid & ~self._again)
            if stage < self.latency - 1:
                swapped = Signal(name=f"swap_{stage}")
                m.d.sync += swapped.eq(swap)
                swap = swapped
        m.d.comb += [self.operation.eq(operation), self.swap.eq(swap)]
        self._align(m, values, job.loops, operations[:2])
        if self.config.bit_lanes:
            m.submodules.bit_feeder = bit_feeder = BitFeeder(self.config)
            m.d.comb += [
                bit_feeder.job.eq(job),
                bit_feeder.last_block.eq(last.blocks),
                bit_feeder.word.eq(self._window),
                bit_feeder.inside.eq(operations[-2].valid & self._word_inside),
                self.bits.eq(bit_feeder.bits),
                self.control.eq(bit_feeder.control),
            ]
        return m

    def _unsettled(self, m, operation):
        """Return whether an operation adds to accumulators that changed too recently."""
        clashes, before = [], operation
        for age in range(1, Accumulators.distance):
            recent = Signal.like(operation, name=f"recent_{age}")
            m.d.sync += recent.eq(before)
            same = (recent.pixel == operation.pixel) & (recent.half == operation.half)
            clashes.append(recent.valid & same)
            before = recent
        return Cat(clashes).any() & ~operation.overwrite

    def _align(self, m, values, loops, operations):
        """Read words and shift the first byte to lane 0; drive the operands.

        Words that the operand before took already are not read again: neighbouring pixels of a
        folded map share words, and their bank is left to others.
        """
        rows, word_bytes = self.config.rows, self.config.word_bytes
        offset_bits = exact_log2(word_bytes)
        offsets = [Signal(offset_bits, name=f"offset_{n}", reset_less=True) for n in range(3)]
        self._window = window = Signal(16 * word_bytes, reset_less=True)
        offset = values.addr[:offset_bits]
        again, keeps = self._again, Signal(reset_less=True)
        wide = offset > word_bytes - rows
        same = (self.read.addr == values.addr[offset_bits:]) & (self.read.wide | ~wide)
        present, previous = operations
        m.d.sync += [
            again.eq(present.valid & previous.valid & same),
            keeps.eq(again),
            self.read.addr.eq(values.addr[offset_bits:]),
            self.read.wide.eq(wide),
            Cat(offsets).eq(Cat(offset, offsets)),
        ]
        with m.If(~keeps):
            m.d.sync += window.eq(self.read.data)
        inside, flips = self._pad(m, values, loops)
        aligned = window.bit_select(offsets[-1] << 3, 8 * rows)
        for row in range(rows):
            byte = Mux(inside[row], aligned[8 * row : 8 * row + 8], 0)
            m.d.sync += self.operands[row].eq(byte ^ (flips << 7))

    def _pad(self, m, values, loops):
        """Return which lanes lie inside the feature map, and whether to flip their top bit."""
        rows = self.config.rows
        # Lanes low…high-1 are inside; ``before`` and ``room`` are these limits without bounds.
        before = Signal(signed(len(values.x) + 1), reset_less=True)
        room = Signal.like(before, reset_less=True)
        low, high = (Signal(range(rows + 1), name=n, reset_less=True) for n in ("low", "high"))
        inside = Signal(rows, reset_less=True)
        y_inside, y_inside_next = Signal(reset_less=True), Signal(reset_less=True)
        folded = Signal(reset_less=True)
        bitwise = [Signal(name=f"bitwise_{n}", reset_less=True) for n in range(2)]
        self._word_inside = Signal(reset_less=True)
        flips = [Signal(name=f"flip_{n}", reset_less=True) for n in range(3)]
        m.d.sync += [
            before.eq(-values.x),
            room.eq(loops.width - values.x),
            folded.eq(loops.folded),
            y_inside.eq((values.y >= 0) & (values.y < loops.height)),
            y_inside_next.eq(y_inside),
            low.eq(saturate(Mux(folded | (before <= 0), before, rows), 0, rows)),
            high.eq(saturate(Mux(folded | (room <= 0), room, rows), 0, rows)),
            Cat(flips).eq(Cat(loops.unsigned, flips)),
            Cat(bitwise).eq(Cat(loops.bitwise, bitwise)),
            self._word_inside.eq(y_inside_next & (low == 0) & (high != 0)),
        ]
        bytes_count = ~bitwise[-1] if self.config.bit_lanes else 1
        for row in range(rows):
            m.d.sync += inside[row].eq(y_inside_next & bytes_count & (low <= row) & (row < high))
        return inside, flips[-1]
