"""ActivationBuffer: banked words between memory, the array and the vector unit."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.hdl import MemoryData
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from ..isa.config import Config
from .delay import delayed
from .interfaces import (
    read_latency,
    read_signature,
    result_layout,
    window_read_signature,
    write_layout,
)
from .storage import storage

__all__ = ["ActivationBuffer"]


class ActivationBuffer(wiring.Component):
    """Hold activation words in banks, each with one read and one write port.

    Word ``a`` lies in bank ``a % banks``. In each cycle the feeder reads first, then the vector
    unit and the store engine read from banks that are left; likewise the vector unit writes first
    and the load engine waits while its bank is taken (with ``pipeline`` while any is, of its own
    accord). Nobody may read a word in the cycle in which it is written.

    Parameters
    ----------
    config : Config
        Number of banks, size and width of a word.

    Members
    -------
    feeder : In(window_read_signature(config))
        Two successive words.
    vector, store : In(read_signature(config.activation_words, config))
        One word each.
    vector_write : In(stream.Signature(result_layout(config)))
        Words, or bytes of words, to write; always ready.
    load_write : In(stream.Signature(write_layout(config.activation_words, config)))
        Words to write.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._bank_bits = exact_log2(config.activation_banks)
        words, banks = config.activation_words, config.activation_banks
        shape = unsigned(8 * config.word_bytes)
        self.contents = [
            MemoryData(shape=shape, depth=words // banks, init=[]) for _ in range(banks)
        ]
        super().__init__(
            {
                "feeder": In(window_read_signature(config)),
                "vector": In(read_signature(words, config)),
                "store": In(read_signature(words, config)),
                "vector_write": In(stream.Signature(result_layout(config))),
                "load_write": In(stream.Signature(write_layout(words, config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        banks = self.config.activation_banks
        words = Signal(data.ArrayLayout(8 * self.config.word_bytes, banks), reset_less=True)
        # Memories give their words late in a cycle: a register before the choice of banks is worth
        # more than one behind it.
        arrives = "sync" if read_latency(self.config) > 1 else "comb"
        for bank, contents in enumerate(self.contents):
            m.submodules[f"bank_{bank}"] = words_of_bank = storage(contents)
            bytewise = {"granularity": 8} if self.config.bit_lanes else {}
            self._write(m, bank, words_of_bank.write_port(**bytewise))
            read = words_of_bank.read_port()
            self._read(m, bank, read)
            m.d[arrives] += words[bank].eq(read.data)

        vector, store = self.vector, self.store
        vector_bank, store_bank = self._bank(vector.addr.payload), self._bank(store.addr.payload)
        both = vector.addr.valid & (vector_bank == store_bank)
        m.d.comb += [
            vector.addr.ready.eq(~self.feeder.banks.bit_select(vector_bank, 1)),
            store.addr.ready.eq(~self.feeder.banks.bit_select(store_bank, 1) & ~both),
        ]
        lower, upper, vector_reads, store_reads = (
            delayed(m, bank, read_latency(self.config), name, reset_less=True)[-1]
            for bank, name in (
                (self._bank(self.feeder.addr), "lower"),
                ((self._bank(self.feeder.addr) + 1)[: self._bank_bits], "upper"),
                (vector_bank, "vector_reads"),
                (store_bank, "store_reads"),
            )
        )
        m.d.comb += [
            self.feeder.data.eq(Cat(words[lower], words[upper])),
            vector.data.eq(words[vector_reads]),
            store.data.eq(words[store_reads]),
        ]
        others = self._bank(self.vector_write.p.addr) != self._bank(self.load_write.p.addr)
        m.d.comb += [
            self.vector_write.ready.eq(1),
            self.load_write.ready.eq(~self.vector_write.valid | others),
        ]
        return m

    def _bank(self, addr):
        return addr[: self._bank_bits]

    def _row(self, addr):
        return addr[self._bank_bits :]

    def _read(self, m, bank, port):
        """Choose what a bank reads."""
        feeder, vector, store = self.feeder, self.vector.addr, self.store.addr
        starts = self._bank(feeder.addr) == bank
        row = self._row(feeder.addr)
        if bank == 0:  # a word that follows one in the last bank lies one row further, or first
            beyond = Mux(row == self.contents[0].depth - 1, 0, row + 1)
            row = Mux(starts, row, beyond)
        # What is chosen is known late, and goes to many memories.
        domain = m.d["sync" if self.config.pipeline else "comb"]
        m.d.comb += port.en.eq(1)
        domain += port.addr.eq(self._row(store.payload))
        with m.If(feeder.banks[bank]):
            domain += port.addr.eq(row)
        with m.Elif(vector.valid & (self._bank(vector.payload) == bank)):
            domain += port.addr.eq(self._row(vector.payload))

    def _write(self, m, bank, port):
        """Choose what a bank writes."""
        vector, load = self.vector_write, self.load_write
        vector_writes = vector.valid & (self._bank(vector.p.addr) == bank)
        load_writes = load.valid & (self._bank(load.p.addr) == bank)
        writes = vector_writes | load_writes
        if self.config.bit_lanes:
            size = self.config.word_bytes
            writes = Mux(vector_writes, vector.p.mask, load_writes.replicate(size))
        # A cycle later with ``pipeline``: no work that reads the word can have begun by then.
        m.d["sync" if self.config.pipeline else "comb"] += [
            port.en.eq(writes),
            port.addr.eq(Mux(vector_writes, self._row(vector.p.addr), self._row(load.p.addr))),
            port.data.eq(Mux(vector_writes, vector.p.data, load.p.data)),
        ]
