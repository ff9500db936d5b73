"""Accumulators: sums of tiles, one half for the array while the other is drained."""

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import MemoryData
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .choice_adder import ChoiceAdder
from .delay import delayed
from .interfaces import accumulator_read_signature
from .mac_column import sum_width
from .storage import storage

__all__ = ["Accumulators", "operation_layout"]


def operation_layout(config: Config) -> data.StructLayout:
    """Return what to do with one vector of totals."""
    return data.StructLayout(
        {
            "valid": 1,
            "half": 1,
            "pixel": range(config.accumulator_pixels),
            "overwrite": 1,  # rather than add to what is there
            **({"double": 1} if config.bit_lanes else {}),  # what is there, before
            "last": 1,  # of its job
        }
    )


class Accumulators(wiring.Component):
    """Add totals to accumulators, column after column, as the array gives them.

    An operation travels along the columns beside the wave of totals, so that nothing has to be
    aligned. Sums wrap at 32 bits. What is there may be doubled before, for products of bit-planes.
    At least :meth:`distance` cycles must lie between an operation and another that adds to the same
    accumulators. The half that operations use must not be read.

    Parameters
    ----------
    config : Config
        Columns, and pixels of each half.

    Members
    -------
    operation : In(operation_layout(config))
        Comes with the operands as they enter the array.
    totals : In(data.ArrayLayout(signed(sum_width(config.rows)), config.columns))
        From the array.
    done : Out(1)
        The last operation of a job has been carried out in all columns.
    read : In(accumulator_read_signature(config))
        All columns of one pixel.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        pixels = config.accumulator_pixels
        self.contents = [
            [MemoryData(shape=signed(32), depth=pixels, init=[]) for _ in range(2)]
            for _ in range(config.columns)
        ]
        totals = data.ArrayLayout(signed(sum_width(config.rows)), config.columns)
        super().__init__(
            {
                "operation": In(operation_layout(config)),
                "totals": In(totals),
                "done": Out(1),
                "read": In(accumulator_read_signature(config)),
            }
        )

    @classmethod
    def latency(cls, config: Config) -> int:
        """Return the cycles from a read's address to its data."""
        return cls._word_latency(config) + 2 * config.pipeline

    @classmethod
    def distance(cls, config: Config) -> int:
        """Return the smallest distance of operations on the same accumulators."""
        return cls._write_latency(config) + 1

    @classmethod
    def done_latency(cls, config: Config) -> int:
        """Return the cycles from the last operation of a job to ``done``."""
        return config.rows + config.columns - 1 + cls._write_latency(config)

    @classmethod
    def _write_latency(cls, config: Config) -> int:
        """Return the cycles from reading an accumulator to writing it."""
        return cls._word_latency(config) + 2

    @staticmethod
    def _word_latency(config: Config) -> int:
        """Return the cycles from a memory's address to its word."""
        return 1 + config.pipeline

    def elaborate(self, platform):
        m = Module()
        # Column c reads with operation c of the chain, and writes when its total has been added.
        columns, wait = self.config.columns, self.config.rows - 1
        writes = self._write_latency(self.config)
        chain = [self.operation]
        for index in range(wait + columns + writes):
            chain.append(Signal.like(self.operation, name=f"operation_{index}"))
            m.d.sync += chain[-1].eq(chain[-2])
        # With ``pipeline`` an address is chosen a cycle before, for a register next to a memory.
        early, chain = chain[wait - self.config.pipeline :], chain[wait:]
        m.d.comb += self.done.eq(chain[-1].valid & chain[-1].last)

        # Which pixel is read goes to all columns.
        pixel = delayed(m, self.read.pixel, self.config.pipeline, "pixel", reset_less=True)[-1]
        read_half = delayed(m, self.read.half, self.latency(self.config), "read_half")[-1]
        for column in range(columns):
            words = self._column(m, column, pixel, early[column], chain[column:])
            m.d.comb += self.read.data[column].eq(Mux(read_half, words[1], words[0]))
        return m

    def _column(self, m, column, pixel, reads, operations):
        """Make one column's accumulators; return what each half reads."""
        latency, last = self._word_latency(self.config), self._write_latency(self.config)
        fetched, adds, writes = (operations[n] for n in (latency, last - 1, last))
        before = Signal(signed(32), name=f"before_{column}", reset_less=True)
        after = Signal(signed(32), name=f"after_{column}", reset_less=True)
        words = []
        for half, contents in enumerate(self.contents[column]):
            m.submodules[f"column_{column}_half_{half}"] = words_of_half = storage(contents)
            read, write = words_of_half.read_port(), words_of_half.write_port()
            addr = Mux(reads.valid & (reads.half == half), reads.pixel, pixel)
            m.d["sync" if self.config.pipeline else "comb"] += read.addr.eq(addr)
            m.d.comb += [
                read.en.eq(1),
                write.en.eq(writes.valid & (writes.half == half)),
                write.addr.eq(writes.pixel),
                write.data.eq(after),
            ]
            # Memories give their words late in a cycle, and lie where there are memories.
            name = f"word_{column}_{half}"
            words.append(delayed(m, read.data, latency - 1, name, reset_less=True)[-1])
        m.d.sync += before.eq(Mux(fetched.half, words[1], words[0]))
        with m.If(fetched.overwrite):
            m.d.sync += before.eq(0)
        m.d.sync += after.eq(self._sum(m, column, adds, before))
        return words

    def _sum(self, m, column, adds, before):
        """Return a total plus what was there, or twice that."""
        if not self.config.bit_lanes:
            return before + self.totals[column]
        m.submodules[f"adder_{column}"] = adder = ChoiceAdder(len(before))
        m.d.comb += [
            adder.a.eq(self.totals[column]),
            adder.b.eq(adds.double.replicate(len(before))),
            adder.c.eq(before << 1),
            adder.d.eq(before),
        ]
        return adder.total
