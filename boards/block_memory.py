"""BlockMemory: block RAM as the external memory of an accelerator."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import exact_log2

from ..hw.axi import axi4_signature, read_layout
from ..hw.delay import delayed
from ..hw.storage import storage
from ..hw.stream_queue import StreamQueue
from ..isa.config import Config
from .board import BoardError
from .word_bus import WORD_BITS, word_bus_signature

__all__ = ["BlockMemory", "check_memory"]

_DECODE_ERROR = 3
_WORD_BYTES = 4

#: Cycles from the issue of a beat to its word: a register before the memory, and one behind it.
_READ_LATENCY = 3

#: Beats that are read and not taken yet, and on their way: as many as keep one a cycle moving.
_BEATS = 8


def check_memory(size: int, config: Config) -> None:
    """Make sure that a memory can have a size.

    Raises
    ------
    BoardError
        It is not a positive multiple of the bus width.
    """
    if size <= 0 or size % config.bus_bytes:
        raise BoardError(
            f"the memory must be a positive multiple of {config.bus_bytes} bytes, not {size}"
        )


class BlockMemory(wiring.Component):
    """Answer an accelerator's bursts, and single words of the host in between.

    One beat a cycle each for reading and writing; one burst each at a time. The host comes first:
    its words are few, and go through registers of their own. Addresses begin at 0; beats beyond
    the end answer with DECERR, and writes there change nothing.

    Parameters
    ----------
    size : int
        Bytes: a multiple of the bus width.
    config : Config
        The accelerator.

    Members
    -------
    axi : In(axi4_signature(config))
        The accelerator's memory port.
    host : In(word_bus_signature())
        The host's words; must lie inside.
    """

    def __init__(self, size: int, config: Config) -> None:
        self.size, self.config = size, config
        self._beat_bits = exact_log2(config.bus_bytes)
        depth = size // config.bus_bytes
        self.contents = MemoryData(shape=8 * config.bus_bytes, depth=depth, init=[])
        super().__init__({"axi": In(axi4_signature(config)), "host": In(word_bus_signature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = storage(self.contents)
        read = self._read(m, words.read_port())
        wrote = self._write(m, words.write_port(granularity=8))
        m.d.comb += self.host.ready.eq(read | wrote)
        return m

    def _burst(self, m, name, address, moves):
        """Keep the place of a burst.

        Returns whether there is one, its beat, whether that lies inside, and whether it is the
        last one.
        """
        active = Signal(name=f"{name}_active")
        # One bit more than a place has, or a burst: beats beyond the end do not come round.
        beat = Signal(
            range(2 * max(self.contents.depth, 256)), name=f"{name}_beat", reset_less=True
        )
        far = Signal(name=f"{name}_far", reset_less=True)
        left = Signal(8, name=f"{name}_left", reset_less=True)
        last = Signal(name=f"{name}_last", reset_less=True)  # left == 0
        m.d.comb += address.ready.eq(~active)
        with m.If(~active):
            m.d.sync += [
                active.eq(address.valid),
                beat.eq(address.p.addr[self._beat_bits :]),
                far.eq(address.p.addr[self._beat_bits + len(beat) :].any()),
                left.eq(address.p.len),
                last.eq(address.p.len == 0),
            ]
        with m.Elif(moves):
            m.d.sync += [beat.eq(beat + 1), left.eq(left - 1), last.eq(left == 1)]
            m.d.sync += active.eq(~last)
        return active, beat, ~far & (beat < self.contents.depth), last

    def _read(self, m, port):
        """Answer bursts that read; return whether the host's word is there.

        The memory is large, and far from all: registers lie before and behind it. So a beat is
        asked for only if there is room to keep it.
        """
        host = self.host
        issues, asks, waits, answers = Signal(), Signal(), Signal(), Signal()
        active, beat, inside, last = self._burst(m, "read", self.axi.ar, issues)
        m.submodules.beats = beats = StreamQueue(read_layout(self.config), _BEATS)
        connect(m, beats.o, flipped(self.axi.r))
        room = Signal(range(_BEATS + 1), init=_BEATS)
        has_room = Signal(init=1)  # room != 0
        freed = beats.o.valid & beats.o.ready
        m.d.comb += [issues.eq(active & has_room & ~asks), port.en.eq(1)]
        m.d.sync += [
            port.addr.eq(Mux(asks, host.addr[self._beat_bits - 2 :], beat)),
            room.eq(room - issues + freed),
            has_room.eq((room != issues) | freed),
        ]
        word = Signal(len(port.data), name="read_word", reset_less=True)
        m.d.sync += word.eq(port.data)
        told = delayed(m, Cat(issues, asks, last, inside), _READ_LATENCY, "told")[-1]
        arrives, hosts, was_last, was_inside = told
        m.d.comb += [
            beats.i.valid.eq(arrives),
            beats.i.p.data.eq(word),
            beats.i.p.last.eq(was_last),
            beats.i.p.resp.eq(Mux(was_inside, 0, _DECODE_ERROR)),
        ]
        begins = host.valid & ~host.write & ~waits
        m.d.sync += [asks.eq(begins), waits.eq(begins | (waits & ~answers)), answers.eq(hosts)]
        host_word = Signal(WORD_BITS, reset_less=True)
        m.d.sync += host_word.eq(word.word_select(self._lane(host), WORD_BITS))
        m.d.comb += host.read_data.eq(host_word)
        return answers

    def _write(self, m, port):
        """Answer bursts that write; return whether the host's word is being written."""
        w, b, host = self.axi.w, self.axi.b, self.host
        takes, answers = Signal(), Signal()
        moves, failed = Signal(), Signal()
        active, beat, inside, last = self._burst(m, "write", self.axi.aw, moves)
        copies = self.config.bus_bytes // _WORD_BYTES
        stores, lanes = Signal(), Signal(copies)  # the host's word goes first; where it lies
        begins = host.valid & host.write & ~stores
        # Beats are taken between a burst's address and its last one, one answer after the other.
        waits = (active | self.axi.aw.valid) & ~(answers & ~b.ready) & ~(moves & last)
        m.d.sync += [
            stores.eq(begins),
            lanes.eq(begins << self._lane(host)),
            takes.eq(waits & ~begins),
        ]
        m.d.comb += [
            w.ready.eq(takes),
            moves.eq(takes & w.valid),
            b.valid.eq(answers),
            b.p.resp.eq(Mux(failed, _DECODE_ERROR, 0)),
        ]
        lane = Cat(bit.replicate(_WORD_BYTES) for bit in lanes)
        m.d.sync += port.en.eq((w.p.strb & (moves & inside).replicate(len(w.p.strb))) | lane)
        with m.If(stores):
            m.d.sync += [
                port.addr.eq(host.addr[self._beat_bits - 2 :]),
                port.data.eq(Cat(host.write_data for _ in range(copies))),
            ]
        with m.Else():
            m.d.sync += [port.addr.eq(beat), port.data.eq(w.p.data)]
        with m.If(moves):
            m.d.sync += failed.eq(failed | ~inside)
        with m.If(moves & last):
            m.d.sync += answers.eq(1)
        with m.Elif(answers & b.ready):
            m.d.sync += [answers.eq(0), failed.eq(0)]
        return stores

    def _lane(self, host):
        """Return which word of a beat the host means."""
        return host.addr[: self._beat_bits - 2]
