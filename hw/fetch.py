"""Fetch: reads the program ahead of its decoding."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import INDEX_BITS
from ..isa.reach import ADDRESS_BITS
from .axi import beat_layout, burst_layout
from .burst_splitter import BurstSplitter
from .narrower import Narrower
from .skid import Skid
from .stream_queue import StreamQueue
from .widener import Widener

__all__ = ["Fetch", "fetched_layout"]

#: Instructions that are kept, or on their way; and in one burst.
_AHEAD = 16
_BURST = 4


def fetched_layout() -> data.StructLayout:
    """Return an instruction as memory gave it, and whether the bus reported an error for it."""
    return data.StructLayout({"bits": 8 * INSTRUCTION_BYTES, "error": 1})


class Fetch(wiring.Component):
    """Read a program's instructions in order, once after each reset.

    A burst is issued only when its beats have room here, so that instructions that wait never
    hold up the beats of LOADs behind them: no deadlock through the shared bus. Gives at most one
    instruction each cycle.

    Parameters
    ----------
    config : Config
        Bus width and burst length.

    Members
    -------
    program_addr : In(ADDRESS_BITS)
        Address of the first instruction.
    length : In(INDEX_BITS)
        Number of instructions.
    burst : Out(stream.Signature(burst_layout(config)))
        Bursts to read.
    beat : In(stream.Signature(beat_layout(config)))
        Their beats.
    o : Out(stream.Signature(fetched_layout()))
        Instructions.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.burst_beats = max(
            1, min(config.burst_beats, _BURST * INSTRUCTION_BYTES // config.bus_bytes)
        )
        super().__init__(
            {
                "program_addr": In(ADDRESS_BITS),
                "length": In(INDEX_BITS),
                "burst": Out(stream.Signature(burst_layout(config))),
                "beat": In(stream.Signature(beat_layout(config))),
                "o": Out(stream.Signature(fetched_layout())),
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth = max(_AHEAD * INSTRUCTION_BYTES // self.config.bus_bytes, 3)
        splitter = BurstSplitter(self.config, self.burst_beats)
        m.submodules.splitter = splitter
        m.submodules.queue = queue = StreamQueue(
            beat_layout(self.config), depth, quick=bool(self.config.pipeline)
        )
        beats = self._beats_behind(m, queue)

        asked = Signal()
        room = Signal(range(depth + 1), init=depth)
        has_room = Signal(init=1)  # room >= burst_beats, known before it is asked for
        issues = self.burst.valid & self.burst.ready
        m.d.comb += [
            splitter.i.valid.eq(~asked & (self.length != 0)),
            splitter.i.p.addr.eq(self.program_addr),
            splitter.i.p.beats.eq(self._beats()),
            self.burst.valid.eq(splitter.o.valid & has_room),
            self.burst.p.addr.eq(splitter.o.p.addr),
            self.burst.p.beats.eq(splitter.o.p.beats),
            splitter.o.ready.eq(self.burst.ready & has_room),
        ]
        freed = beats.valid & beats.ready
        with m.If(splitter.i.valid & splitter.i.ready):
            m.d.sync += asked.eq(1)
        # Whether a burst goes is known late, and chooses between what would be left.
        for condition, left in (
            (issues, room - self.burst.p.beats + freed),
            (~issues, room + freed),
        ):
            with m.If(condition):
                m.d.sync += [room.eq(left), has_room.eq(left >= self.burst_beats)]

        connect(m, flipped(self.beat), queue.i)
        m.submodules.resizer = resizer = self._resizer()
        m.d.comb += [
            resizer.i.valid.eq(beats.valid),
            resizer.i.p.data.eq(beats.p.data),
            resizer.i.p.error.eq(beats.p.error),
            beats.ready.eq(resizer.i.ready),
            self.o.valid.eq(resizer.o.valid),
            self.o.p.bits.eq(resizer.o.p.data),
            self.o.p.error.eq(resizer.o.p.error),
            resizer.o.ready.eq(self.o.ready),
        ]
        return m

    def _beats_behind(self, m, queue):
        """Return the queue's beats; with ``pipeline`` behind a register, for its memory is slow."""
        if not self.config.pipeline:
            return queue.o
        m.submodules.skid = skid = Skid(beat_layout(self.config))
        connect(m, queue.o, skid.i)
        return skid.o

    def _beats(self):
        shift = exact_log2(self.config.bus_bytes) - exact_log2(INSTRUCTION_BYTES)
        if shift > 0:
            return (self.length + (1 << shift) - 1) >> shift
        return self.length << -shift

    def _resizer(self):
        if self.config.bus_bytes < INSTRUCTION_BYTES:
            return Widener(self.config.bus_bytes, INSTRUCTION_BYTES, self.config.pipeline)
        return Narrower(self.config.bus_bytes, INSTRUCTION_BYTES)
