"""Bytes keep their order and their place: between bus and words, in and in packed words."""

from types import SimpleNamespace

import pytest
from amaranth import Assert, Cat, Module, Mux, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from shiftloom.hw.interfaces import fields_layout, result_layout
from shiftloom.hw.narrower import Narrower
from shiftloom.hw.vector import Vector
from shiftloom.hw.widener import Widener
from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Opcode

from .harness import broken, holds, inner, opened
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

#: With a bit array, whose results are parts of words.
BITS = Config(
    name="bits", rows=8, columns=8, bus_bytes=8, activation_bytes=64, weight_bytes=1024,
    parameter_bytes=1024, accumulator_pixels=8, burst_beats=16, bit_lanes=64,
)  # fmt: skip


class Narrowed(wiring.Component):
    """Claims that parts are the piece's, lowest first, up to the last one that is wanted."""

    def __init__(self, block=Narrower, parts=4):
        self.block = block(parts, 1)
        super().__init__(self.block.signature)

    def elaborate(self, platform):
        m, block = Module(), self.block
        fragment = opened(m, "block", block, platform)
        connect(m, flipped(self.i), block.i)
        connect(m, block.o, flipped(self.o))
        m.d.comb += block.drop.eq(self.drop)
        holds(m, block.i, Assume, "i")
        given = Signal(range(block.parts))
        gives, ends = block.o.valid & block.o.ready, block.i.valid & block.i.ready
        with m.If(gives):
            m.d.sync += given.eq(Mux(ends, 0, given + 1))
        is_top, piece = given == block.parts - 1, block.i.p
        m.d.comb += [
            Assert(~block.o.valid | (block.o.p.data == piece.data.word_select(given, 8)), "order"),
            Assert(~block.o.valid | (block.o.p.error == piece.error), "error"),
            Assert(~block.o.valid | (block.o.p.last == (piece.last & is_top)), "end mark"),
            Assert(ends == (gives & (is_top | block.drop)), "a piece goes with its last part"),
            Assert(inner(fragment, "position") == given, "parts are counted"),
            Cover(ends & is_top & piece.last, "a whole piece"),
        ]
        return m


class Widened(wiring.Component):
    """Keeps the parts of a piece, and claims that they stand in it in their order."""

    def __init__(self, block=Widener, parts=4):
        self.block = block(1, parts)
        super().__init__(self.block.signature)

    def elaborate(self, platform):
        m, block = Module(), self.block
        fragment = opened(m, "block", block, platform)
        connect(m, flipped(self.i), block.i)
        connect(m, block.o, flipped(self.o))
        count, error = Signal(range(block.parts + 1)), Signal()
        kept = Signal(data.ArrayLayout(8, block.parts))
        complete, taken = Signal(), block.i.valid & block.i.ready
        begins = complete | (count == 0)
        place = Mux(begins, 0, count)
        with m.If(taken):
            m.d.sync += [
                kept[place].eq(block.i.p.data),
                count.eq(place + 1),
                error.eq(block.i.p.error | (error & ~begins)),
                complete.eq(block.i.p.last | (place == block.parts - 1)),
            ]
        with m.Elif(block.o.ready & complete):
            m.d.sync += [complete.eq(0), count.eq(0)]
        m.d.comb += [
            Assert(block.o.valid == complete, "a piece when it is complete, and once"),
            Assert(~complete | (block.o.p.error == error), "error"),
            Assert(count <= block.parts, "no more parts than a piece has"),
            Cover(complete & (count == 2) & taken, "a piece that ends early"),
        ]
        position = Mux(complete, 0, count)
        m.d.comb += [
            Assert(inner(fragment, "position") == position, "parts are counted"),
            Assert((count == 0) | (inner(fragment, "error") == error), "error inside"),
            Assert(~complete | (count != 0), "no piece without parts"),
        ]
        for n in range(block.parts):  # while a piece is gathered, too
            present, lane = block.o.p.present[n], block.o.p.data[8 * n : 8 * n + 8]
            m.d.comb += Assert((count == 0) | (present == (count > n)), f"present: {n}")
            m.d.comb += Assert((count <= n) | (lane == kept[n]), f"part {n}")
        return m


class Packed(wiring.Component):
    """Compares a word after a packed result with its definition, bit by bit."""

    def __init__(self, pack=Vector._pack):
        self.pack = pack
        lanes = data.ArrayLayout(8, BITS.columns)
        word = 8 * BITS.word_bytes
        super().__init__(
            {
                "requantize": In(fields_layout(Opcode.VECTOR_REQUANTIZE)),
                "work": In(fields_layout(Opcode.VECTOR)),
                "codes": In(lanes),
                "before": In(word),
                "after": Out(word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        written = Signal(result_layout(BITS))
        m.d.comb += written.data.eq(self.codes)
        unit = SimpleNamespace(config=BITS, write=SimpleNamespace(p=written))
        chosen = Cat(code.bit_select(self.requantize.plane, 1) for code in self.codes)
        self.pack(unit, m, SimpleNamespace(requantize=self.requantize, work=self.work), chosen)
        mask = Cat(written.mask[n].replicate(8) for n in range(BITS.word_bytes))
        m.d.comb += self.after.eq((written.data & mask) | (self.before & ~mask))
        for lane, code in enumerate(self.codes):
            bit = code.bit_select(self.requantize.plane, 1)
            for eighth in range(8):
                place = eighth * BITS.columns + lane
                mine = self.requantize.pack & (self.work.part == eighth)
                byte = self.codes.as_value()[place]
                expected = Mux(mine, bit, Mux(self.requantize.pack, self.before[place], byte))
                m.d.comb += Assert(self.after[place] == expected, f"bit {place}")
        return m


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_pieces_are_cut_in_order(parts):
    inductive(Narrowed(parts=parts))
    reaches(Narrowed(parts=parts), parts + 1)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_parts_are_gathered_in_order(parts):
    inductive(Widened(parts=parts))


@pytest.mark.slow
def test_pieces_end_early():
    reaches(Widened(), 4)


def test_packed_bits_take_their_place():
    bounded(Packed(), 1)


@pytest.mark.parametrize(
    ("design", "block", "was", "instead"),
    [
        (Narrowed, Narrower, "self.i.p.last & is_top", "self.i.p.last"),
        (Narrowed, Narrower, "Mux(ends, 0, position + 1)", "Mux(is_top, 0, position + 1)"),
        (Narrowed, Narrower, "word_select(position,", "word_select(~position,"),
        (Widened, Widener, "self.i.p.last | (position", "(position"),
        (Widened, Widener, "Mux(is_first, 0, present)", "present"),
        (Widened, Widener, "(error & ~is_first)", "error"),
        (Widened, Widener, "Array(lanes)[position]", "Array(lanes)[~position]"),
    ],
)
def test_bytes_out_of_order_are_found(design, block, was, instead):
    with pytest.raises(RefutedError):
        bounded(design(broken(block, was, instead)), 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("(job.work.part == n)", "(job.work.part <= n)"),
        ("bits.replicate(8)", "bits.replicate(7)"),
        ("with m.If(job.requantize.pack):", "with m.If(1):"),
    ],
)
def test_bits_in_the_wrong_place_are_found(was, instead):
    with pytest.raises(RefutedError, match="bit"):
        bounded(Packed(broken(Vector, was, instead)._pack), 1)
