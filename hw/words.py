"""Words: the internal side of a transfer, word by word."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.instructions import FORMATS, INDEX_BITS, WORD_ADDR_BITS, Buffer, Opcode

__all__ = ["Words", "area_layout", "place_layout"]


def area_layout() -> data.StructLayout:
    """Return the part of a transfer that concerns the buffer, and the job's index."""
    wanted = ("buffer", "addr", "words", "runs", "pitch")
    fields = {field.name: field.width for field in FORMATS[Opcode.LOAD]}
    return data.StructLayout({**{name: fields[name] for name in wanted}, "index": INDEX_BITS})


def place_layout() -> data.StructLayout:
    """Return one word's place in a buffer, and what ends with it.

    ``void`` marks the only place of a job that moves nothing; of the others, one bit of ``buffers``
    says which it is, the last one that there is no such buffer.
    """
    return data.StructLayout(
        {
            "buffers": len(Buffer) + 1,
            "addr": WORD_ADDR_BITS,
            "index": INDEX_BITS,
            "run_ends": 1,
            "job_ends": 1,
            "void": 1,
        }
    )


class Words(wiring.Component):
    """Walk the words of transfers in a buffer.

    Gives one place each cycle, over jobs too; with ``pipeline`` there is a cycle between jobs.

    Parameters
    ----------
    pipeline : int
        That of the configuration.

    Members
    -------
    i : In(stream.Signature(area_layout()))
        Transfers.
    o : Out(stream.Signature(place_layout()))
        Places of their words, in order.
    coming : Out(len(Buffer) + 1)
        With ``pipeline``: ``buffers`` of the next cycle, if there is a place then.
    """

    #: Cycles from the transfer on ``i`` to the first cycle its first place is valid on ``o``.
    latency = 1

    def __init__(self, pipeline: int = 0) -> None:
        self.pipeline = pipeline
        super().__init__(
            {
                "i": In(stream.Signature(area_layout())),
                "o": Out(stream.Signature(place_layout())),
                "coming": Out(len(Buffer) + 1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        area = Signal(area_layout(), reset_less=True)
        busy = Signal()
        words = Signal.like(area.words, reset_less=True)
        addr = Signal(WORD_ADDR_BITS, reset_less=True)
        start = Signal(WORD_ADDR_BITS, reset_less=True)
        # Known a cycle ahead, for what ends with a word decides who moves on.
        void, single, last_run, run_ends, job_ends = (
            Signal(name=name, reset_less=True)
            for name in ("void", "single", "last_run", "run_ends", "job_ends")
        )
        buffers = Signal.like(self.o.p.buffers, reset_less=True)
        m.d.comb += [
            self.o.valid.eq(busy),
            self.o.p.buffers.eq(buffers),
            self.o.p.addr.eq(addr),
            self.o.p.index.eq(area.index),
            self.o.p.run_ends.eq(run_ends),
            self.o.p.job_ends.eq(job_ends),
            self.o.p.void.eq(void),
        ]
        # With ``pipeline`` who takes a word does not decide in the same cycle what comes next.
        m.d.comb += self.i.ready.eq(~busy if self.pipeline else ~busy | (self.o.ready & job_ends))
        if self.pipeline:
            with m.If(self.o.ready & job_ends):
                m.d.sync += busy.eq(0)
        with m.If(~busy | self.o.ready):
            with m.If(~busy if self.pipeline else ~busy | job_ends):
                taken = self.i.p
                nothing, one_word = (taken.words == 0) | (taken.runs == 0), taken.words <= 1
                one_run = taken.runs == 1
                m.d.sync += [busy.eq(self.i.valid), area.eq(taken), words.eq(taken.words)]
                m.d.sync += [addr.eq(taken.addr), start.eq(taken.addr), void.eq(nothing)]
                m.d.sync += [single.eq(one_word), last_run.eq(one_run), run_ends.eq(one_word)]
                m.d.sync += job_ends.eq(nothing | (one_word & one_run))
                meant = Cat(taken.buffer == n for n in range(len(buffers)))
                meant = Mux(nothing, 0, meant)
                m.d.sync += buffers.eq(meant)
            with m.Elif(run_ends):
                next_start, is_last = (start + area.pitch)[:WORD_ADDR_BITS], area.runs == 2
                m.d.sync += [words.eq(area.words), addr.eq(next_start), start.eq(next_start)]
                m.d.sync += [area.runs.eq(area.runs - 1), last_run.eq(is_last)]
                m.d.sync += [run_ends.eq(single), job_ends.eq(single & is_last)]
            with m.Else():
                ends = words == 2
                m.d.sync += [words.eq(words - 1), addr.eq(addr + 1)]
                m.d.sync += [run_ends.eq(ends), job_ends.eq(ends & last_run)]
        if self.pipeline:
            m.d.comb += self.coming.eq(Mux(busy, buffers, meant))
        return m
