"""BurstSplitter: cuts runs of beats into bursts that any AXI4 memory takes."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import FORMATS, INDEX_BITS, Opcode
from ..isa.reach import ADDRESS_BITS

__all__ = ["BurstSplitter", "beats_bits", "run_layout"]


def beats_bits(config: Config) -> int:
    """Return the bits of a number of beats: of a run of a transfer, or of a program."""
    words = next(field.width for field in FORMATS[Opcode.LOAD] if field.name == "words")
    transfer = words + max(0, exact_log2(config.word_bytes) - exact_log2(config.bus_bytes))
    program = INDEX_BITS + max(0, exact_log2(INSTRUCTION_BYTES) - exact_log2(config.bus_bytes))
    return max(transfer, program) + 1


def run_layout(config: Config) -> data.StructLayout:
    """Return beats that follow each other in memory, and the job they belong to.

    No beats at all is a run too, and ``void``: it stands for a job that moves nothing. ``last``
    marks the job's last run, and after the splitter its last burst.
    """
    return data.StructLayout(
        {
            "addr": ADDRESS_BITS,
            "beats": beats_bits(config),
            "index": INDEX_BITS,
            "last": 1,
            "void": 1,
        }
    )


class BurstSplitter(wiring.Component):
    """Cut runs into bursts.

    A burst ends where the address is a multiple of a longest burst, so it crosses no boundary
    of 4 KiB and all but a run's first and last burst have full length. Gives one burst each
    cycle, over runs too; with ``pipeline`` there is a cycle between runs.

    Parameters
    ----------
    config : Config
        Bus width.
    burst_beats : int
        Longest burst, a power of two.

    Members
    -------
    i : In(stream.Signature(run_layout(config)))
        Runs, aligned to beats.
    o : Out(stream.Signature(run_layout(config)))
        Bursts of at most ``burst_beats`` beats.
    """

    #: Cycles from the transfer on ``i`` to the first cycle its first burst is valid on ``o``.
    latency = 1

    def __init__(self, config: Config, burst_beats: int) -> None:
        self.config = config
        self.burst_beats = burst_beats
        super().__init__(
            {
                "i": In(stream.Signature(run_layout(config))),
                "o": Out(stream.Signature(run_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        run = Signal(run_layout(self.config), reset_less=True)
        busy = Signal()

        beat = exact_log2(self.config.bus_bytes)
        block = beat + exact_log2(self.burst_beats)
        room = Signal(range(self.burst_beats + 1), reset_less=True)  # to the end of the block
        # Known a cycle ahead: whether the next run is taken hangs on it, and on that whole queues.
        final = Signal(reset_less=True)
        m.d.comb += [
            self.o.valid.eq(busy),
            self.o.p.addr.eq(run.addr),
            self.o.p.beats.eq(Mux(final, run.beats, room)),
            self.o.p.index.eq(run.index),
            self.o.p.last.eq(run.last & final),
            self.o.p.void.eq(run.void),
        ]
        # With ``pipeline`` who takes a burst does not decide in the same cycle what comes next.
        ends = Signal()
        m.d.comb += [
            ends.eq(self.o.ready & final),
            self.i.ready.eq(~busy if self.config.pipeline else ~busy | ends),
        ]
        if self.config.pipeline:
            with m.If(ends):
                m.d.sync += busy.eq(0)
        with m.If(~busy | self.o.ready):
            with m.If(~busy if self.config.pipeline else ~busy | final):
                m.d.sync += [
                    busy.eq(self.i.valid),
                    run.eq(self.i.p),
                    room.eq(self.burst_beats - self.i.p.addr[beat:block]),
                    final.eq(self.i.p.beats <= self.burst_beats - self.i.p.addr[beat:block]),
                ]
            with m.Else():
                m.d.sync += [
                    run.addr.eq(Cat(Const(0, block), run.addr[block:] + 1)),
                    run.beats.eq(run.beats - room),
                    room.eq(self.burst_beats),
                    final.eq(run.beats <= room + self.burst_beats),
                ]
        return m
