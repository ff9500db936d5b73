"""SharedMemory: memory with one port for reading and writing, as the external memory."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from ..hw.axi import axi4_signature
from ..hw.storage import storage
from ..isa.config import Config
from .word_bus import WORD_BITS, word_bus_signature

__all__ = ["SharedMemory"]

_DECODE_ERROR = 3


class SharedMemory(wiring.Component):
    """Answer an accelerator's bursts, and single words of the host in between.

    One beat a cycle, and one burst at a time, read or written: for accelerators that never do
    both. The host comes first. Addresses begin at 0; beats beyond the end answer with DECERR, and
    writes there change nothing.

    Parameters
    ----------
    size : int
        Bytes: a multiple of four.
    config : Config
        The accelerator; its bus has four bytes.

    Members
    -------
    axi : In(axi4_signature(config))
        The accelerator's memory port.
    host : In(word_bus_signature())
        The host's words; must lie inside.
    """

    def __init__(self, size: int, config: Config) -> None:
        self.config, self._beat_bits = config, exact_log2(config.bus_bytes)
        self.contents = MemoryData(shape=WORD_BITS, depth=size // config.bus_bytes, init=[])
        super().__init__({"axi": In(axi4_signature(config)), "host": In(word_bus_signature())})

    def elaborate(self, platform):
        m = Module()
        bus, host = self.axi, self.host
        m.submodules.words = words = storage(self.contents)
        write, read = words.write_port(granularity=8), words.read_port()
        reads, writes, answers = Signal(), Signal(), Signal()
        issues, takes, hosts = Signal(), Signal(), Signal()
        # One bit more than a place has: bursts are shorter than the memory.
        beat = Signal(range(2 * self.contents.depth), reset_less=True)
        left = Signal(range(self.config.burst_beats), reset_less=True)
        far, failed = Signal(reset_less=True), Signal()
        inside = ~far & (beat < self.contents.depth)

        rests = ~reads & ~writes & ~answers
        m.d.comb += [bus.ar.ready.eq(rests), bus.aw.ready.eq(rests & ~bus.ar.valid)]
        for channel, active in ((bus.ar, reads), (bus.aw, writes)):
            with m.If(channel.valid & channel.ready):
                m.d.sync += [
                    active.eq(1),
                    beat.eq(channel.p.addr[self._beat_bits :]),
                    far.eq(channel.p.addr[self._beat_bits + len(beat) :].any()),
                    left.eq(channel.p.len),
                ]
        free = ~bus.r.valid | bus.r.ready
        asks, stores = host.valid & ~host.write & ~hosts, host.valid & host.write
        place = Signal.like(read.addr)
        m.d.comb += [
            issues.eq(reads & ~writes & free & ~host.valid),
            bus.w.ready.eq(writes & ~host.valid),
            takes.eq(bus.w.ready & bus.w.valid),
            place.eq(Mux(host.valid, host.addr[self._beat_bits - 2 :], beat)),
            read.addr.eq(place),
            write.addr.eq(place),
            read.en.eq(issues | (asks & free)),
            write.en.eq(Mux(stores, ~0, Mux(takes & inside, bus.w.p.strb, 0))),
            write.data.eq(Mux(stores, host.write_data, bus.w.p.data)),
            host.read_data.eq(read.data),
            host.ready.eq(hosts | stores),
            bus.r.p.data.eq(read.data),
            bus.b.valid.eq(answers),
            bus.b.p.resp.eq(Mux(failed, _DECODE_ERROR, 0)),
        ]
        m.d.sync += hosts.eq(asks & free)
        with m.If(free):
            m.d.sync += [
                bus.r.valid.eq(issues),
                bus.r.p.last.eq(left == 0),
                bus.r.p.resp.eq(Mux(inside, 0, _DECODE_ERROR)),
            ]
        with m.If(issues | takes):
            m.d.sync += [beat.eq(beat + 1), left.eq(left - 1)]
            with m.If(left == 0):
                m.d.sync += [reads.eq(0), writes.eq(0), answers.eq(writes)]
        with m.If(takes):
            m.d.sync += failed.eq(failed | ~inside)
        with m.If(answers & bus.b.ready):
            m.d.sync += [answers.eq(0), failed.eq(0)]
        return m
