"""WeightLoader: brings the weights of the next tile while the array uses the present ones."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .bit_array import bit_load_layout
from .interfaces import private_read_signature
from .mac_array import array_load_layout

__all__ = ["WeightLoader", "tiles_layout"]


def tiles_layout(config: Config) -> data.StructLayout:
    """Return where a job's tiles begin, and whether they are for the bit array."""
    return data.StructLayout({"addr": range(config.weight_words), "bitwise": 1})


class WeightLoader(wiring.Component):
    """Read tiles, one word each cycle, exactly one tile ahead of the feeder.

    A tile has ``rows`` words, or ``columns`` if it is for the bit array.

    ``pending`` says that a tile is on its way or has arrived; a swap may be issued from then on,
    because the load has a head start on it. A swap makes room for another tile. Tiles of a job
    follow each other in the buffer; after a job's last tile the next job says where to go on.

    Parameters
    ----------
    config : Config
        Rows and columns of the array, size of the buffer.

    Members
    -------
    job : In(stream.Signature(tiles_layout(config)))
        A job's first tile.
    pending : Out(1)
        The feeder may swap.
    pends : Out(1)
        It may in the next cycle.
    swap : In(1)
        The feeder swaps; only while ``pending``.
    ends : In(1)
        The tile that is swapped in is its job's last.
    read : Out(private_read_signature(config.weight_words, 8 * config.word_bytes))
        Weight buffer.
    load : Out(array_load_layout(config))
        Weights for the array, a row in each cycle.
    bit_load : Out(bit_load_layout(config))
        Weights for the bit array, a column in each cycle.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "job": In(stream.Signature(tiles_layout(config))),
                "pending": Out(1),
                "pends": Out(1),
                "swap": In(1),
                "ends": In(1),
                "read": Out(private_read_signature(config.weight_words, 8 * config.word_bytes)),
                "load": Out(array_load_layout(config)),
                "bit_load": Out(bit_load_layout(config)),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from the first one of ``pending`` to the first weights on ``load``."""
        return 2 + config.pipeline

    def elaborate(self, platform):
        m = Module()
        config = self.config
        words = Signal(range(config.columns))  # columns are no fewer than rows
        reads, continues, bitwise = Signal(), Signal(), Signal()
        addr = Signal(range(config.weight_words), reset_less=True)
        last = Signal()  # of a tile; known a cycle ahead, for much hangs on it
        before_last = config.rows - 2
        if config.bit_lanes:
            before_last = Mux(bitwise, config.columns - 2, config.rows - 2)

        with m.If(self.swap):
            m.d.sync += [self.pending.eq(0), continues.eq(~self.ends)]

        with m.If(reads):
            m.d.sync += [addr.eq(addr + 1), words.eq(Mux(last, 0, words + 1))]
            m.d.sync += last.eq(words == before_last)
            with m.If(last):
                m.d.sync += reads.eq(0)

        free = ~self.pending & (~reads | last)
        m.d.comb += self.job.ready.eq(free & ~continues)
        with m.If(self.job.ready & self.job.valid):
            m.d.sync += [addr.eq(self.job.p.addr), bitwise.eq(self.job.p.bitwise)]
        begins = free & (continues | self.job.valid)
        with m.If(begins):
            m.d.sync += [self.pending.eq(1), reads.eq(1)]
        m.d.comb += self.pends.eq(begins | (self.pending & ~self.swap))

        m.d.comb += self.read.addr.eq(addr)
        self._loads(m, reads, words, bitwise)
        return m

    def _loads(self, m, reads, words, bitwise):
        """Give the words that were read to their array."""
        bits = bitwise if self.config.bit_lanes else Const(0, 1)
        fetched, data = Cat(reads & ~bits, reads & bits, words), self.read.data
        for stage in range(self.latency(self.config) - 1):
            if stage:
                later_data = Signal.like(data, name=f"data_{stage}", reset_less=True)
                m.d.sync += later_data.eq(data)
                data = later_data
            later = Signal(len(fetched), name=f"fetched_{stage}")
            m.d.sync += later.eq(fetched)
            fetched = later
        m.d.sync += [
            self.load.valid.eq(fetched[0]),
            self.load.row.eq(fetched[2:]),
            self.load.weights.eq(data),
        ]
        if self.config.bit_lanes:
            m.d.sync += [
                self.bit_load.valid.eq(fetched[1]),
                self.bit_load.column.eq(fetched[2:]),
                self.bit_load.weights.eq(data),
            ]
