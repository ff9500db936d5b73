"""Store: moves words from the activation buffer to external memory."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import INDEX_BITS, Engine
from ..isa.reach import ADDRESS_BITS
from ..isa.registers import Error
from .axi import OUTSTANDING, burst_layout, strobed_layout
from .interfaces import failure_layout, job_layout, read_latency, read_signature
from .narrower import Narrower
from .runs import REGIONS
from .stream_queue import StreamQueue
from .transfer import Transfer
from .widener import Widener
from .write_port import acknowledge_layout

__all__ = ["Store"]

#: Jobs whose bursts may be issued before their data were read.
_JOBS_AHEAD = 3

#: Words that were read and wait for the bus.
_WORDS_AHEAD = 8


class Store(wiring.Component):
    """Carry out STORE jobs in order.

    Bursts of the next job are issued while answers to those of the last are awaited. Moves one
    beat or one word each cycle, whichever is less.

    Parameters
    ----------
    config : Config
        Word and bus width, burst length, buffer size.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.STORE)))
        Transfers.
    bases : In(ADDRESS_BITS).array(REGIONS)
        Addresses of the regions.
    read : Out(read_signature(config.activation_words, config))
        Port of the activation buffer.
    burst : Out(stream.Signature(burst_layout(config)))
        Bursts to write.
    beat : Out(stream.Signature(strobed_layout(config)))
        Their beats.
    acknowledge : In(stream.Signature(acknowledge_layout()))
        Answers to the bursts.
    done : Out(1)
        Pulse: all bursts of a job were answered.
    failure : Out(failure_layout())
        The bus reported an error for a burst of this job.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "job": In(stream.Signature(job_layout(Engine.STORE))),
                "bases": In(ADDRESS_BITS).array(REGIONS),
                "read": Out(read_signature(config.activation_words, config)),
                "burst": Out(stream.Signature(burst_layout(config))),
                "beat": Out(stream.Signature(strobed_layout(config))),
                "acknowledge": In(stream.Signature(acknowledge_layout())),
                "done": Out(1),
                "failure": Out(failure_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.transfer = transfer = Transfer(self.config, _JOBS_AHEAD)
        connect(m, flipped(self.job), transfer.job)
        m.d.comb += [port.eq(base) for port, base in zip(transfer.bases, self.bases, strict=True)]
        self._issue(m, transfer.burst)
        self._read(m, transfer.place)
        return m

    def _issue(self, m, burst):
        """Send bursts out, and remember whose answer comes when."""
        held = data.StructLayout({"index": INDEX_BITS, "last": 1, "void": 1})
        m.submodules.pending = pending = StreamQueue(held, 2 * OUTSTANDING)
        void = burst.p.void
        m.d.comb += [
            self.burst.valid.eq(burst.valid & pending.i.ready & ~void),
            self.burst.p.addr.eq(burst.p.addr),
            self.burst.p.beats.eq(burst.p.beats),
            pending.i.valid.eq(burst.valid & (self.burst.ready | void)),
            pending.i.p.index.eq(burst.p.index),
            pending.i.p.last.eq(burst.p.last),
            pending.i.p.void.eq(void),
            burst.ready.eq(pending.i.ready & (self.burst.ready | void)),
        ]
        awaited = pending.o.valid & ~pending.o.p.void
        answered = pending.o.valid & (self.acknowledge.valid | pending.o.p.void)
        m.d.comb += [
            self.acknowledge.ready.eq(awaited),
            pending.o.ready.eq(answered),
            self.done.eq(answered & pending.o.p.last),
            self.failure.index.eq(pending.o.p.index),
        ]
        with m.If(awaited & self.acknowledge.valid & self.acknowledge.p.error):
            m.d.comb += self.failure.code.eq(Error.STORE_BUS)

    def _read(self, m, place):
        """Read words while there is room for them, and resize them to beats."""
        word = data.StructLayout({"data": 8 * self.config.word_bytes, "last": 1})
        m.submodules.queue = queue = StreamQueue(word, _WORDS_AHEAD)
        m.submodules.resizer = resizer = self._resizer()

        room = Signal(range(_WORDS_AHEAD + 1), init=_WORDS_AHEAD)
        has_room = Signal(init=1)  # room != 0
        reads = self.read.addr.valid & self.read.addr.ready
        arrives, last = reads, place.p.run_ends
        for stage in range(read_latency(self.config)):
            arrived, was_last = Signal(name=f"arrives_{stage}"), Signal(name=f"last_{stage}")
            m.d.sync += [arrived.eq(arrives), was_last.eq(last)]
            arrives, last = arrived, was_last
        m.d.comb += [
            self.read.addr.valid.eq(place.valid & has_room & ~place.p.void),
            self.read.addr.payload.eq(place.p.addr),
            place.ready.eq(place.p.void | (has_room & self.read.addr.ready)),
            queue.i.valid.eq(arrives),
            queue.i.p.data.eq(self.read.data),
            queue.i.p.last.eq(last),
        ]
        freed = queue.o.valid & queue.o.ready
        m.d.sync += [room.eq(room - reads + freed), has_room.eq((room != reads) | freed)]

        m.d.comb += [
            resizer.i.valid.eq(queue.o.valid),
            resizer.i.p.data.eq(queue.o.p.data),
            resizer.i.p.last.eq(queue.o.p.last),
            queue.o.ready.eq(resizer.i.ready),
            self.beat.valid.eq(resizer.o.valid),
            self.beat.p.data.eq(resizer.o.p.data),
            resizer.o.ready.eq(self.beat.ready),
        ]
        if isinstance(resizer, Widener):
            strobes = [present.replicate(self.config.word_bytes) for present in resizer.o.p.present]
            m.d.comb += self.beat.p.strobe.eq(Cat(strobes))
        else:
            m.d.comb += self.beat.p.strobe.eq(~0)

    def _resizer(self):
        if self.config.word_bytes < self.config.bus_bytes:
            return Widener(self.config.word_bytes, self.config.bus_bytes)
        return Narrower(self.config.word_bytes, self.config.bus_bytes)
