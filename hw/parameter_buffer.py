"""ParameterBuffer: written word by word, read eight words at a time."""

from amaranth import Cat, Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In

from ..isa.config import PARAMETER_LANE_BYTES, Config
from .delay import delayed
from .interfaces import private_read_signature, write_layout
from .word_buffer import WordBuffer

__all__ = ["ParameterBuffer"]


class ParameterBuffer(wiring.Component):
    """Hold parameter words of eight bytes per lane, each written as eight words.

    Parameters
    ----------
    config : Config
        Number of parameter words and width of a word.

    Members
    -------
    write : In(stream.Signature(write_layout(8 * config.parameter_words, config)))
        Words to write; always ready.
    read : In(private_read_signature(config.parameter_words, 8 * config.parameter_word_bytes))
        One parameter word each cycle, ``parameter_latency`` cycles after its address; lane ``l``
        lies at bit ``64 * l``.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        words = config.parameter_words
        self.parts = [WordBuffer(words, config) for _ in range(PARAMETER_LANE_BYTES)]
        layout = write_layout(len(self.parts) * words, config)
        super().__init__(
            {
                "write": In(stream.Signature(layout)),
                "read": In(private_read_signature(words, 8 * config.parameter_word_bytes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # No work that reads a word can have begun so soon; all memories take their words from here.
        write = Cat(self.write.p.as_value(), self.write.valid)
        write = delayed(m, write, self.config.pipeline, "write", reset_less=True)[-1]
        valid, write = write[-1], data.View(self.write.p.shape(), write[:-1])
        # One port reads all memories, and their words go to all lanes: both are long ways.
        read = delayed(m, self.read.addr, self.config.pipeline, "read", reset_less=True)[-1]
        for index, part in enumerate(self.parts):
            m.submodules[f"part_{index}"] = part
            m.d.comb += [
                part.write.valid.eq(valid & (write.addr[:3] == index)),
                part.write.p.addr.eq(write.addr[3:]),
                part.write.p.data.eq(write.data),
                part.read.addr.eq(read),
            ]
        words = Cat(part.read.data for part in self.parts)
        words = delayed(m, words, self.config.pipeline, "word", reset_less=True)[-1]
        m.d.comb += [self.write.ready.eq(1), self.read.data.eq(words)]
        return m
