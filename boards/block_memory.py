"""BlockMemory: block RAM as the external memory of an accelerator."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from ..hw.axi import axi4_signature
from ..hw.storage import storage
from ..isa.config import Config
from ..isa.reach import ADDRESS_BITS
from .board import BoardError
from .word_bus import word_bus_signature

__all__ = ["BlockMemory", "check_memory"]

_DECODE_ERROR = 3
_WORD_BYTES = 4


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
    its words are few. Addresses begin at 0; beats beyond the end answer with DECERR, and writes
    there change nothing.

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
        self._read(m, words.read_port())
        self._write(m, words.write_port(granularity=8))
        return m

    def _burst(self, m, name, address, moves):
        """Keep the place of a burst; return whether there is one, its beat, and its last one."""
        active = Signal(name=f"{name}_active")
        beat = Signal(ADDRESS_BITS - self._beat_bits, name=f"{name}_beat", reset_less=True)
        left = Signal(8, name=f"{name}_left", reset_less=True)
        m.d.comb += address.ready.eq(~active)
        with m.If(address.valid & ~active):
            m.d.sync += [
                active.eq(1),
                beat.eq(address.p.addr[self._beat_bits :]),
                left.eq(address.p.len),
            ]
        with m.Elif(moves):
            m.d.sync += [beat.eq(beat + 1), left.eq(left - 1), active.eq(left != 0)]
        return active, beat, left == 0

    def _read(self, m, port):
        r, host = self.axi.r, self.host
        issues, valid, hosts = Signal(), Signal(), Signal()
        active, beat, last = self._burst(m, "read", self.axi.ar, issues)
        free = ~valid | r.ready
        asks = host.valid & ~host.write & ~hosts
        inside = beat < self.contents.depth
        place = host.addr[self._beat_bits - 2 :]
        m.d.comb += [
            issues.eq(active & free & ~asks),
            port.en.eq(free),
            port.addr.eq(Mux(asks, place, beat)),
            r.valid.eq(valid),
            r.p.data.eq(port.data),
        ]
        m.d.sync += hosts.eq(asks & free)
        with m.If(free):
            m.d.sync += [
                valid.eq(issues),
                r.p.last.eq(last),
                r.p.resp.eq(Mux(inside, 0, _DECODE_ERROR)),
            ]
        chosen = self._lane(host)
        m.d.comb += host.read_data.eq(port.data.word_select(chosen, 8 * _WORD_BYTES))
        m.d.comb += host.ready.eq(hosts | (host.valid & host.write))

    def _write(self, m, port):
        w, b, host = self.axi.w, self.axi.b, self.host
        takes, answers = Signal(), Signal()
        moves, failed = Signal(), Signal()
        active, beat, last = self._burst(m, "write", self.axi.aw, moves)
        stores = host.valid & host.write
        inside = beat < self.contents.depth
        m.d.comb += [
            takes.eq(active & ~stores & ~answers),
            w.ready.eq(takes),
            moves.eq(takes & w.valid),
            b.valid.eq(answers),
            b.p.resp.eq(Mux(failed, _DECODE_ERROR, 0)),
        ]
        lane = Const(2**_WORD_BYTES - 1, self.config.bus_bytes) << (self._lane(host) << 2)
        copies = self.config.bus_bytes // _WORD_BYTES
        with m.If(stores):
            m.d.comb += [
                port.addr.eq(host.addr[self._beat_bits - 2 :]),
                port.data.eq(Cat(host.write_data for _ in range(copies))),
                port.en.eq(lane),
            ]
        with m.Else():
            m.d.comb += [port.addr.eq(beat), port.data.eq(w.p.data)]
            m.d.comb += port.en.eq(Mux(moves & inside, w.p.strb, 0))
        with m.If(moves):
            m.d.sync += failed.eq(failed | ~inside)
        with m.If(moves & last):
            m.d.sync += answers.eq(1)
        with m.Elif(answers & b.ready):
            m.d.sync += [answers.eq(0), failed.eq(0)]

    def _lane(self, host):
        """Return which word of a beat the host means."""
        return host.addr[: self._beat_bits - 2]
