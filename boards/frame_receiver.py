"""FrameReceiver: requests out of a stream of bytes that may be anything."""

from amaranth import Cat, Module, Signal, signed
from amaranth.hdl import MemoryData
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..hw.storage import storage
from .frames import CRC_BYTES, ESCAPE, FLAG, FLIP, HEADER_BYTES, MOST_WORDS
from .serial_crc import SerialCrc
from .word_bus import WORD_BITS

__all__ = ["BYTE_CYCLES", "FrameReceiver", "request_layout"]

#: Cycles from one byte to the next, at least.
BYTE_CYCLES = 12

#: Bytes of the longest data, with the CRC that follows them.
_LONGEST = 4 * MOST_WORDS + CRC_BYTES


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

    A byte goes through registers: it is taken, told from flags and escapes, and, whole, stored and
    divided. What decides about it is known before it comes.

    Members
    -------
    i : In(stream.Signature(8, always_ready=True))
        Bytes; one may come every :data:`BYTE_CYCLES` cycles.
    request : Out(request_layout())
        The request, in the cycle of ``valid`` and the two before.
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
        m.submodules.crc = checker = SerialCrc()
        byte, takes, ends, cut = self._split(m, checker.shifts)
        stores, over = Signal(), Signal()  # a cycle after takes and ends
        m.d.sync += [stores.eq(takes), over.eq(ends)]

        # Place of the next byte among the data; the header comes before them, below 0.
        place = Signal(signed((_LONGEST + 1).bit_length() + 1), init=-HEADER_BYTES)
        full, whole, begun, spoiled = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            full.eq(place > _LONGEST),
            self.request.data_bytes.eq(place - CRC_BYTES),
            whole.eq(checker.match & (place >= CRC_BYTES) & (place <= _LONGEST)),
        ]
        m.d.comb += [
            checker.start.eq(over),
            checker.valid.eq(takes),
            checker.bit.eq(byte[0]),
        ]
        right, refused = ends & whole & ~cut, self.busy | spoiled
        m.d.sync += [
            self.good.eq(right),
            self.damaged.eq(ends & ~right & (begun | cut)),
            self.overrun.eq(right & refused),
            self.valid.eq(right & ~refused),
        ]
        header = Signal(8 * HEADER_BYTES, reset_less=True)
        m.d.comb += self.request.as_value()[: len(header)].eq(header)
        with m.If(stores & place[-1]):
            m.d.sync += header.eq(Cat(header[8:], byte))
        overwrites = self._store(m, place, takes & ~spoiled, byte)
        with m.If(over):
            m.d.sync += [place.eq(-HEADER_BYTES), begun.eq(0), spoiled.eq(0)]
        with m.Elif(stores):
            m.d.sync += begun.eq(1)
            with m.If(~full):
                m.d.sync += place.eq(place + 1)
        with m.Elif(takes & overwrites):
            m.d.sync += spoiled.eq(1)
        return m

    def _split(self, m, shifts):
        """Tell bytes from flags and escapes.

        Returns the byte, pulses for one that is taken and for a flag, and whether an escape was
        open before it.
        """
        byte = Signal(8, reset_less=True)
        flag, escape, came, known = Signal(), Signal(), Signal(), Signal()
        escaped, cut, takes, ends = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            *(came.eq(self.i.valid), known.eq(came)),
            *(flag.eq(byte == FLAG), escape.eq(byte == ESCAPE)),
            *(takes.eq(known & ~flag & (escaped | ~escape)), ends.eq(known & flag)),
        ]
        with m.If(known):
            m.d.sync += [cut.eq(escaped), escaped.eq(escape & ~escaped)]
        with m.If(self.i.valid):
            m.d.sync += byte.eq(self.i.payload)
        with m.Elif(known & escaped):
            m.d.sync += byte.eq(byte ^ FLIP)
        with m.Elif(shifts):
            m.d.sync += byte.eq(byte >> 1)
        return byte, takes, ends, cut

    def _store(self, m, place, takes, byte):
        """Keep data bytes until the CRC has come; the CRC of a full frame falls off the end.

        Returns whether the byte would take the place of one that is still needed.
        """
        m.submodules.words = words = storage(self.contents)
        write, read = words.write_port(granularity=8), words.read_port()
        reached, overwrites, room, enables = Signal(), Signal(), Signal(), Signal(4)
        inside, needed = ~place[-1], self.busy & reached
        m.d.sync += [
            reached.eq(self.needed <= place[2:-1]),
            overwrites.eq(needed & inside),
            room.eq(~needed & inside & (place[:-1] < 4 * MOST_WORDS)),
            enables.eq((takes & room) << place[:2]),
        ]
        m.d.comb += [
            write.addr.eq(place[2:]),
            write.data.eq(byte.replicate(4)),
            write.en.eq(enables),
            read.addr.eq(self.read_addr),
            self.read_data.eq(read.data),
        ]
        return overwrites
