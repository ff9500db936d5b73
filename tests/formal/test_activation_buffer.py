"""Words of the activation buffer are read as they were written, byte by byte."""

import pytest
from amaranth import Assert, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect, flipped
from amaranth.utils import exact_log2

from shiftloom.hw.activation_buffer import ActivationBuffer
from shiftloom.isa.config import Config

from .harness import broken, delayed, opened
from .inside import part, rows
from .prove import RefutedError, needs_solver, settled

pytestmark = needs_solver

#: Two banks of four words, of which bytes may be written.
BITS = Config(
    name="bits", rows=8, columns=8, bus_bytes=8, activation_bytes=64, weight_bytes=1024,
    parameter_bytes=1024, accumulator_pixels=8, burst_beats=16, bit_lanes=64,
)  # fmt: skip


class Kept(wiring.Component):
    """Claims that words of the buffer change as they are written, and are read as they are."""

    def __init__(self, block=ActivationBuffer):
        self.block = block(BITS)
        super().__init__(self.block.signature)

    def elaborate(self, platform):
        m, block = Module(), self.block
        fragment = opened(m, "block", block, platform)
        for name in self.signature.members:
            connect(m, flipped(getattr(self, name)), getattr(block, name))
        banks = [
            rows(part(fragment, f"bank_{n}"), f"bank_{n}") for n in range(BITS.activation_banks)
        ]
        words = [banks[a % len(banks)][a // len(banks)] for a in range(BITS.activation_words)]
        self._written(m, words)
        content = Signal(data.ArrayLayout(len(words[0]), len(words)))
        m.d.comb += content.eq(Cat(words))
        for name in ("vector", "store"):
            port = getattr(block, name)
            word, took = content[port.addr.payload], port.addr.valid & port.addr.ready
            same = port.data == delayed(m, word, 1, f"{name}_word")
            m.d.comb += Assert(~delayed(m, took, 1, f"{name}_took") | same, f"{name} reads")
        feeder, width = block.feeder, len(words[0])
        following = (feeder.addr + 1)[: len(feeder.addr)]
        for name, addr, low in (("lower", feeder.addr, 0), ("upper", following, width)):
            took = feeder.banks.bit_select(addr[: exact_log2(BITS.activation_banks)], 1)
            same = feeder.data[low : low + width] == delayed(m, content[addr], 1, f"{name}_word")
            m.d.comb += Assert(~delayed(m, took, 1, f"{name}_took") | same, f"feeder's {name} word")
        return m

    def _written(self, m, words):
        """Claim that each byte is what was written to it, or what it was."""
        vector, load = self.block.vector_write, self.block.load_write
        loads = load.valid & load.ready
        for place, word in enumerate(words):
            for n in range(BITS.word_bytes):
                byte = slice(8 * n, 8 * n + 8)
                writes = vector.valid & (vector.p.addr == place) & vector.p.mask[n]
                loaded = Mux(loads & (load.p.addr == place), load.p.data[byte], word[byte])
                expected = Mux(writes, vector.p.data[byte], loaded)
                same = word[byte] == delayed(m, expected, 1, f"expected_{place}_{n}")
                m.d.comb += Assert(same, f"word {place}: byte {n}")


@pytest.mark.slow
def test_words_are_kept_as_they_are_written():
    settled(Kept(), 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead", "message"),
    [
        ("Mux(vector_writes, vector.p.data, load.p.data)", "vector.p.data", "byte"),
        ("Mux(vector_writes, vector.p.mask,", "Mux(vector_writes, ~0,", "byte"),
        ("ready.eq(~self.vector_write.valid | others)", "ready.eq(1)", "byte"),
        ("with m.Elif(vector.valid &", "with m.Elif(~store.valid & vector.valid &", "vector reads"),
        (" & ~both", "", "store reads"),
        ("Mux(starts, row, beyond)", "row", "upper"),
    ],
)  # fmt: skip
def test_words_that_are_lost_or_changed_are_found(was, instead, message):
    with pytest.raises(RefutedError, match=message):
        settled(Kept(broken(ActivationBuffer, was, instead)), 1)
