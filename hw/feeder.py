"""Feeder: the operands of MAC jobs, in the order the array takes them."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from ..isa.config import Config
from ..isa.instructions import Engine
from .accumulators import operation_layout
from .bit_array import bit_control_layout
from .bit_feeder import BitFeeder
from .delay import delayed
from .interfaces import job_layout, read_latency, window_read_signature
from .job_nest import JobNest, Move
from .operand_gate import OperandGate

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


def _later(m, value, cycles, name):
    """Return a value some cycles later."""
    return delayed(m, value, cycles, name, reset_less=True)[-1]


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
    pending, pends : In(1)
        The weights of the next tile are pending; they are in the next cycle.
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

    def __init__(self, config: Config) -> None:
        self.config = config
        bits = {"bits": Out(config.bit_lanes), "control": Out(bit_control_layout(config))}
        super().__init__(
            {
                **(bits if config.bit_lanes else {}),
                "job": In(stream.Signature(job_layout(Engine.MAC))),
                "pending": In(1),
                "pends": In(1),
                "swaps": Out(1),
                "ends": Out(1),
                "read": Out(window_read_signature(config)),
                "operands": Out(data.ArrayLayout(signed(8), config.rows)),
                "swap": Out(1),
                "operation": Out(operation_layout(config)),
            }
        )

    @classmethod
    def latency(cls, config: Config) -> int:
        """Return the cycles from ``swaps`` to the operands; ``swap`` comes one cycle before."""
        return 3 + read_latency(config)

    def elaborate(self, platform):
        m = Module()
        gate = self._gate(m)
        operand = gate.o
        issued = operand.operation
        m.d.comb += [
            self.swaps.eq(issued.valid & operand.tile_begins),
            self.ends.eq(operand.tile_ends_job),
        ]

        swap, operations = self.swaps, [issued]
        for stage in range(self.latency(self.config)):
            operations.append(Signal.like(issued, name=f"operation_{stage}"))
            m.d.sync += operations[-1].eq(operations[-2])
            if stage < self.latency(self.config) - 1:
                swapped = Signal(name=f"swap_{stage}")
                m.d.sync += swapped.eq(swap)
                swap = swapped
        m.d.comb += [self.operation.eq(operations[-1]), self.swap.eq(swap)]
        self._align(m, operand.values, operand.job.loops, operations[:2])
        if self.config.bit_lanes:
            m.submodules.bit_feeder = bit_feeder = BitFeeder(self.config)
            m.d.comb += [
                bit_feeder.job.eq(operand.job),
                bit_feeder.last_block.eq(operand.last_block),
                bit_feeder.word.eq(self._window),
                bit_feeder.inside.eq(operations[-2].valid & self._word_inside),
                self.bits.eq(bit_feeder.bits),
                self.control.eq(bit_feeder.control),
            ]
        return m

    def _gate(self, m):
        """Walk the loops, and return what lets operands go."""
        m.submodules.nest = nest = JobNest(
            Engine.MAC, _TILE_LEVELS + _PIXEL_LEVELS, _moves(self.config), self.config.pipeline
        )
        connect(m, flipped(self.job), nest.job)
        job = Signal.like(self.job.p, reset_less=True)
        with m.If(self.job.valid & self.job.ready):
            m.d.sync += job.eq(self.job.p)

        values, first, last = nest.o.p.values, nest.o.p.first, nest.o.p.last
        m.submodules.gate = gate = OperandGate(self.config, values.shape())
        tile_is_first = Cat(first[level] for level in _TILE_LEVELS).all()
        operation = gate.i.p.operation
        m.d.comb += [
            gate.pending.eq(self.pending),
            gate.pends.eq(self.pends),
            gate.i.valid.eq(nest.o.valid),
            nest.o.ready.eq(gate.i.ready),
            gate.i.p.job.eq(job),
            gate.i.p.values.eq(values),
            gate.i.p.tile_begins.eq(Cat(first[level] for level in _PIXEL_LEVELS).all()),
            gate.i.p.tile_ends_job.eq(Cat(last[level] for level in _TILE_LEVELS).all()),
            gate.i.p.last_block.eq(last.blocks),
            operation.half.eq(job.work.half),
            operation.pixel.eq(values.pixel),
            operation.overwrite.eq(tile_is_first & ~job.work.accumulate),
            operation.last.eq(last.as_value().all()),
        ]
        if self.config.bit_lanes:
            m.d.comb += operation.double.eq(tile_is_first & job.work.double & job.loops.bitwise)
        return gate

    def _align(self, m, values, loops, operations):
        """Read words and shift the first byte to lane 0; drive the operands.

        Words that the operand before took already are not read again: neighbouring pixels of a
        folded map share words, and their bank is left to others.
        """
        rows, word_bytes = self.config.rows, self.config.word_bytes
        offset_bits, reading = exact_log2(word_bytes), read_latency(self.config)
        self._window = window = Signal(16 * word_bytes, reset_less=True)
        offset, addr = values.addr[:offset_bits], values.addr[offset_bits:]
        wide = offset > word_bytes - rows
        same = (self.read.addr == addr) & (self.read.wide | ~wide)
        present, previous = operations
        reads = present.valid & ~(previous.valid & same)
        m.d.sync += [
            self.read.addr.eq(addr),
            self.read.wide.eq(wide),
            self.read.banks.eq(self._banks(addr, wide) & reads.replicate(len(self.read.banks))),
        ]
        keeps = _later(m, present.valid & previous.valid & same, 1 + reading, "keeps")
        with m.If(~keeps):
            m.d.sync += window.eq(self.read.data)
        inside = self._pad(m, values, loops)
        flips = _later(m, loops.unsigned, 2 + reading, "flips")
        aligned = window.bit_select(_later(m, offset, 2 + reading, "offset") << 3, 8 * rows)
        for row in range(rows):
            byte = Mux(inside[row], aligned[8 * row : 8 * row + 8], 0)
            m.d.sync += self.operands[row].eq(byte ^ (flips << 7))

    def _banks(self, addr, wide):
        """Return which banks a read takes, one bit each."""
        count = self.config.activation_banks
        bank = addr[: exact_log2(count)]
        starts = [bank == number for number in range(count)]
        return Cat(starts[n] | (wide & starts[n - 1]) for n in range(count))

    def _pad(self, m, values, loops):
        """Return which lanes lie inside the feature map."""
        rows, reading = self.config.rows, read_latency(self.config)
        # Lanes low…high-1 are inside; ``before`` and ``room`` are these limits without bounds.
        before = Signal(signed(len(values.x) + 1), reset_less=True)
        room = Signal.like(before, reset_less=True)
        inside = Signal(rows, reset_less=True)
        self._word_inside = Signal(reset_less=True)
        m.d.sync += [before.eq(-values.x), room.eq(loops.width - values.x)]
        folded = _later(m, loops.folded, 1 + self.config.pipeline, "folded")
        low = self._bounded(m, before, folded, "low")
        high = self._bounded(m, room, folded, "high")
        y_inside = (values.y >= 0) & (values.y < loops.height)
        y_inside = _later(m, y_inside, 1 + reading, "y_inside")
        bitwise = _later(m, loops.bitwise, 1 + reading, "bitwise")
        m.d.sync += self._word_inside.eq(y_inside & (low == 0) & (high != 0))
        bytes_count = ~bitwise if self.config.bit_lanes else 1
        for row in range(rows):
            m.d.sync += inside[row].eq(y_inside & bytes_count & (low <= row) & (row < high))
        return inside

    def _bounded(self, m, limit, folded, name):
        """Return a limit of lanes from 0 to all, when words come: one of these if not folded."""
        rows = self.config.rows
        bits, bounded = (Signal(range(rows + 1), name=f"{n}{name}") for n in ("few_", ""))
        for signal, value in (
            (none := Signal(name=f"{name}_none"), limit <= 0),
            (all_ := Signal(name=f"{name}_all"), limit >= rows),
            (bits, limit[: len(bits)]),
        ):
            m.d[("comb", "sync")[self.config.pipeline]] += signal.eq(value)
        m.d.sync += bounded.eq(Mux(none, 0, Mux(~folded | all_, rows, bits)))
        return _later(m, bounded, read_latency(self.config) - 1 - self.config.pipeline, name)
