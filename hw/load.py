"""Load: moves words from external memory to the buffers."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import Buffer, Engine
from ..isa.reach import ADDRESS_BITS
from ..isa.registers import Error
from .axi import beat_layout, burst_layout
from .interfaces import failure_layout, job_layout, write_layout
from .narrower import Narrower
from .runs import REGIONS
from .transfer import Transfer
from .widener import Widener

__all__ = ["Load"]

#: Jobs whose bursts may be issued before their data arrive.
_JOBS_AHEAD = 8


class Load(wiring.Component):
    """Carry out LOAD jobs in order.

    The address side runs up to ``_JOBS_AHEAD`` jobs ahead of the data side, so memory latency
    shows only when no LOAD was ready. The data side moves one beat or one word each cycle,
    whichever is less.

    Parameters
    ----------
    config : Config
        Word and bus width, burst length, buffer sizes.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.LOAD)))
        Transfers.
    bases : In(ADDRESS_BITS).array(REGIONS)
        Addresses of the regions.
    burst : Out(stream.Signature(burst_layout(config)))
        Bursts to read.
    beat : In(stream.Signature(beat_layout(config)))
        Their beats.
    activation, weight, parameter : Out(stream.Signature(write_layout(…, config)))
        Words for each buffer; a transfer to a buffer that does not exist vanishes.
    will_wait : In(1)
        With ``pipeline``: ``activation`` is not ready in the next cycle.
    done : Out(1)
        Pulse: a job's last word was accepted.
    failure : Out(failure_layout())
        The bus reported an error for a word of this job.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        words = {
            "activation": config.activation_words,
            "weight": config.weight_words,
            "parameter": 8 * config.parameter_words,
        }
        super().__init__(
            {
                "job": In(stream.Signature(job_layout(Engine.LOAD))),
                "bases": In(ADDRESS_BITS).array(REGIONS),
                "burst": Out(stream.Signature(burst_layout(config))),
                "beat": In(stream.Signature(beat_layout(config))),
                **{k: Out(stream.Signature(write_layout(n, config))) for k, n in words.items()},
                "will_wait": In(1),
                "done": Out(1),
                "failure": Out(failure_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.transfer = transfer = Transfer(self.config, _JOBS_AHEAD)
        m.submodules.resizer = resizer = self._resizer()
        connect(m, flipped(self.job), transfer.job)
        m.d.comb += [port.eq(base) for port, base in zip(transfer.bases, self.bases, strict=True)]

        empty = transfer.burst.p.void
        m.d.comb += [
            self.burst.valid.eq(transfer.burst.valid & ~empty),
            self.burst.p.addr.eq(transfer.burst.p.addr),
            self.burst.p.beats.eq(transfer.burst.p.beats),
            transfer.burst.ready.eq(self.burst.ready | empty),
        ]

        m.d.comb += [
            resizer.i.valid.eq(self.beat.valid),
            resizer.i.p.data.eq(self.beat.p.data),
            resizer.i.p.error.eq(self.beat.p.error),
            self.beat.ready.eq(resizer.i.ready),
        ]
        self._deliver(m, transfer, resizer)
        return m

    def _accepts(self, m, transfer):
        """Return whether a word is meant for a buffer that takes it.

        With ``pipeline`` it is known a cycle ahead, for the bus waits for it; only one may wait.
        """
        if self.config.pipeline:
            accepts, coming = Signal(), transfer.coming
            waits = coming[Buffer.ACTIVATION] & self.will_wait
            m.d.sync += accepts.eq(coming.any() & ~waits)
            return accepts
        meant = transfer.place.p.buffers
        takes = [getattr(self, buffer.name.lower()).ready for buffer in Buffer]
        return (meant & Cat(*takes, 1)).any()

    def _deliver(self, m, transfer, resizer):
        """Join places and data; the buffer that is meant sets the pace."""
        place, accepts = transfer.place, self._accepts(m, transfer)
        for buffer in Buffer:
            port = getattr(self, buffer.name.lower())
            meant = place.p.buffers[buffer]
            m.d.comb += [
                port.valid.eq(place.valid & meant & resizer.o.valid),
                port.p.addr.eq(place.p.addr),
                port.p.data.eq(resizer.o.p.data),
            ]
        if isinstance(resizer, Narrower):
            m.d.comb += resizer.drop.eq(place.p.run_ends)
        moves = place.valid & resizer.o.valid & accepts
        m.d.comb += [
            resizer.o.ready.eq(place.valid & accepts),
            place.ready.eq(place.p.void | (accepts & resizer.o.valid)),
            self.done.eq(place.valid & place.ready & place.p.job_ends),
            self.failure.index.eq(place.p.index),
        ]
        with m.If(moves & resizer.o.p.error):
            m.d.comb += self.failure.code.eq(Error.LOAD_BUS)

    def _resizer(self):
        if self.config.bus_bytes < self.config.word_bytes:
            return Widener(self.config.bus_bytes, self.config.word_bytes)
        return Narrower(self.config.bus_bytes, self.config.word_bytes)
