"""FrameReceiver: requests out of a stream of bytes that may be anything."""

from amaranth import Cat, Module, Signal
from amaranth.hdl import MemoryData
from amaranth.lib import crc, data, memory, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from .frames import CRC_BYTES, ESCAPE, FLAG, FLIP, HEADER_BYTES, MOST_WORDS
from .word_bus import WORD_BITS

__all__ = ["FrameReceiver", "request_layout"]

_SHORTEST = HEADER_BYTES + CRC_BYTES
_LONGEST = _SHORTEST + 4 * MOST_WORDS


def request_layout() -> data.StructLayout:
    """Return a request's header as it lies in the frame, and the bytes that follow it."""
    header = {"command": 8, "tag": 8, "address": 32, "words": 16}
    assert data.StructLayout(header).size == 8 * HEADER_BYTES
    return data.StructLayout({**header, "data_bytes": range(4 * MOST_WORDS + 1)})


class FrameReceiver(wiring.Component):
    """Find frames, undo their escapes and check their CRC.

    What is not a whole frame with the right CRC is counted and changes nothing else. The data of
    a request can be read until those of the next arrive; words that are still needed then are
    kept, and the newcomer is dropped.

    Members
    -------
    i : In(stream.Signature(8, always_ready=True))
        Bytes; one may come each cycle.
    request : Out(request_layout())
        The request, in the cycle of ``valid``.
    valid : Out(1)
        Pulse: a request has come.
    busy : In(1)
        A request is being carried out; another would be dropped.
    needed : In(range(MOST_WORDS + 1))
        While busy: first word that is still needed; ``MOST_WORDS`` for none.
    read_addr, read_data : In(range(MOST_WORDS)), Out(32)
        The request's data, one cycle after the address.
    good, damaged, overrun : Out(1)
        Pulses: what became of a frame.
    """

    def __init__(self) -> None:
        self.contents = MemoryData(shape=WORD_BITS, depth=MOST_WORDS, init=[])
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "request": Out(request_layout()),
                "valid": Out(1),
                "busy": In(1),
                "needed": In(range(MOST_WORDS + 1)),
                "read_addr": In(range(MOST_WORDS)),
                "read_data": Out(WORD_BITS),
                "good": Out(1),
                "damaged": Out(1),
                "overrun": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = checker = crc.Processor(catalog.CRC32_ISO_HDLC(data_width=8))
        escaped, spoiled = Signal(), Signal()
        count = Signal(range(_LONGEST + 2))  # bytes of the frame, at most one too many
        ends = self.i.valid & (self.i.payload == FLAG)
        escapes = self.i.valid & (self.i.payload == ESCAPE) & ~escaped
        byte = self.i.payload ^ (escaped << FLIP.bit_length() - 1)
        takes = self.i.valid & ~ends & ~escapes

        whole = checker.match_detected & ~escaped & (count >= _SHORTEST) & (count <= _LONGEST)
        m.d.comb += [
            checker.start.eq(ends),
            checker.valid.eq(takes),
            checker.data.eq(byte),
            self.good.eq(ends & whole),
            self.damaged.eq(ends & ~whole & ((count != 0) | escaped)),
            self.overrun.eq(self.good & (self.busy | spoiled)),
            self.valid.eq(self.good & ~self.overrun),
            self.request.data_bytes.eq(count - _SHORTEST),
        ]
        # The place among the data, and whether there are any yet, have registers of their own:
        # what is stored hangs on them.
        self._place, self._inside = Signal(range(_LONGEST + 2), reset_less=True), Signal()
        with m.If(ends):
            m.d.sync += [count.eq(0), escaped.eq(0), spoiled.eq(0)]
            m.d.sync += [self._place.eq(0), self._inside.eq(0)]
        with m.Elif(escapes):
            m.d.sync += escaped.eq(1)
        with m.Elif(takes):
            m.d.sync += escaped.eq(0)
            with m.If(count <= _LONGEST):
                m.d.sync += [count.eq(count + 1), self._place.eq(self._place + self._inside)]
                m.d.sync += self._inside.eq(count >= HEADER_BYTES - 1)
        header = Signal(8 * HEADER_BYTES, reset_less=True)
        m.d.comb += self.request.as_value()[: len(header)].eq(header)
        with m.If(takes & (count < HEADER_BYTES)):
            m.d.sync += header.eq(Cat(header[8:], byte))
        # Whether the byte would take the place of one that is still needed.
        overwrites = self.busy & (self.needed <= self._place[2:])
        with m.If(takes & self._inside & overwrites):
            m.d.sync += spoiled.eq(1)
        self._store(m, takes & ~spoiled & ~overwrites, byte)
        return m

    def _store(self, m, takes, byte):
        """Keep data bytes until the CRC has come; the CRC of a full frame falls off the end."""
        m.submodules.words = words = memory.Memory(self.contents)
        write, read = words.write_port(granularity=8), words.read_port()
        place = self._place
        inside = self._inside & (place < 4 * MOST_WORDS)
        m.d.comb += [
            write.addr.eq(place[2:]),
            write.data.eq(byte.replicate(4)),
            write.en.eq((takes & inside) << place[:2]),
            read.addr.eq(self.read_addr),
            self.read_data.eq(read.data),
        ]
