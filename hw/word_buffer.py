"""WordBuffer: one memory with a write and a read port of its own."""

from amaranth import Module
from amaranth.hdl import MemoryData
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from ..isa.config import Config
from .interfaces import private_read_signature, write_layout
from .storage import storage

__all__ = ["WordBuffer"]


class WordBuffer(wiring.Component):
    """Hold words; no word may be read in the cycle in which it is written.

    Parameters
    ----------
    words : int
        Size.
    config : Config
        Gives the width of a word.

    Members
    -------
    write : In(stream.Signature(write_layout(words, config)))
        Words to write; always ready.
    read : In(private_read_signature(words, 8 * config.word_bytes))
        One word each cycle.
    """

    #: Cycles from an address to its data.
    latency = 1

    def __init__(self, words: int, config: Config) -> None:
        self.pipeline, width = config.pipeline, 8 * config.word_bytes
        self.contents = MemoryData(shape=width, depth=words, init=[])
        super().__init__(
            {
                "write": In(stream.Signature(write_layout(words, config))),
                "read": In(private_read_signature(words, width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = storage(self.contents)
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            self.write.ready.eq(1),
            read.en.eq(1),
            read.addr.eq(self.read.addr),
            self.read.data.eq(read.data),
        ]
        # A cycle later with ``pipeline``: no work that reads the word can have begun by then.
        m.d["sync" if self.pipeline else "comb"] += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.p.addr),
            write.data.eq(self.write.p.data),
        ]
        return m
