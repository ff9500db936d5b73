"""WeightLoader: brings the weights of the next tile while the array uses the present ones."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .interfaces import private_read_signature
from .mac_array import array_load_layout

__all__ = ["WeightLoader"]


class WeightLoader(wiring.Component):
    """Read tiles of ``rows`` words, one word each cycle, exactly one tile ahead of the feeder.

    ``pending`` says that a tile is on its way or has arrived; a swap may be issued from then on,
    because the load has a head start on it. A swap makes room for another tile. Tiles of a job
    follow each other in the buffer; after a job's last tile the next job says where to go on.

    Parameters
    ----------
    config : Config
        Rows and columns of the array, size of the buffer.

    Members
    -------
    job : In(stream.Signature(range(config.weight_words)))
        Address of a job's first tile.
    pending : Out(1)
        The feeder may swap.
    swap : In(1)
        The feeder swaps; only while ``pending``.
    ends : In(1)
        The tile that is swapped in is its job's last.
    read : Out(private_read_signature(config.weight_words, 8 * config.word_bytes))
        Weight buffer.
    load : Out(array_load_layout(config))
        Weights for the array.
    """

    #: Cycles from the first one of ``pending`` to the first row of weights on ``load``.
    latency = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "job": In(stream.Signature(range(config.weight_words))),
                "pending": Out(1),
                "swap": In(1),
                "ends": In(1),
                "read": Out(private_read_signature(config.weight_words, 8 * config.word_bytes)),
                "load": Out(array_load_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        last_row = self.config.rows - 1
        row = Signal(range(self.config.rows))
        reads, continues = Signal(), Signal()
        addr = Signal(range(self.config.weight_words), reset_less=True)

        with m.If(self.swap):
            m.d.sync += [self.pending.eq(0), continues.eq(~self.ends)]

        with m.If(reads):
            m.d.sync += [addr.eq(addr + 1), row.eq(Mux(row == last_row, 0, row + 1))]
            with m.If(row == last_row):
                m.d.sync += reads.eq(0)

        free = ~self.pending & (~reads | (row == last_row))
        m.d.comb += self.job.ready.eq(free & ~continues)
        with m.If(self.job.ready & self.job.valid):
            m.d.sync += addr.eq(self.job.payload)
        with m.If(free & (continues | self.job.valid)):
            m.d.sync += [self.pending.eq(1), reads.eq(1)]

        fetched_row = Signal.like(row, reset_less=True)
        fetched = Signal()
        m.d.comb += self.read.addr.eq(addr)
        m.d.sync += [
            fetched.eq(reads),
            fetched_row.eq(row),
            self.load.valid.eq(fetched),
            self.load.row.eq(fetched_row),
            self.load.weights.eq(self.read.data),
        ]
        return m
