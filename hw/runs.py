"""Runs: the external side of a transfer, run by run."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..isa.config import Config
from ..isa.instructions import Engine
from ..isa.reach import ADDRESS_BITS, address_bits
from .burst_splitter import run_layout
from .interfaces import job_layout
from .register_port import NUMBER_BITS

__all__ = ["REGIONS", "Runs", "settings_members"]

#: Regions of external memory that transfers name.
REGIONS = 4


def settings_members(config: Config) -> dict[str, wiring.Member]:
    """Return how a machine gets what a host has set: all, or what it asks for a cycle later."""
    addr = In(address_bits(config))
    if config.serial:
        return {"number": Out(NUMBER_BITS), "setting": addr}
    return {"program_addr": addr, "bases": addr.array(REGIONS)}


class Runs(wiring.Component):
    """Walk the runs of transfers in external memory.

    Gives one run each cycle, and takes the next job in the cycle after a job's last run: what takes
    runs does not decide in the same cycle what leaves a queue of jobs. A job without runs or words
    gives one run of no beats.

    Parameters
    ----------
    config : Config
        Word and bus width.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.LOAD)))
        Transfers.
    bases : In(ADDRESS_BITS).array(REGIONS)
        Addresses of the regions.
    o : Out(stream.Signature(run_layout(config)))
        Runs, in order.
    """

    #: Cycles from the transfer on ``job`` to the first cycle its first run is valid on ``o``.
    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "job": In(stream.Signature(job_layout(Engine.LOAD))),
                "bases": In(ADDRESS_BITS).array(REGIONS),
                "o": Out(stream.Signature(run_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        work = self.job.p.work
        run = Signal(run_layout(self.config), reset_less=True)
        busy = Signal()
        pitch = Signal.like(work.memory_pitch, reset_less=True)
        left = Signal.like(work.runs, reset_less=True)

        final = Signal(reset_less=True)
        m.d.comb += [
            self.o.valid.eq(busy),
            self.o.p.eq(run),
            self.o.p.last.eq(final),
            self.job.ready.eq(~busy),
        ]

        base = Signal(ADDRESS_BITS)
        with m.Switch(work.region):
            for region, address in enumerate(self.bases):
                with m.Case(region):
                    m.d.comb += base.eq(address)

        moves = (work.words != 0) & (work.runs != 0)
        with m.If(~busy):
            m.d.sync += [
                busy.eq(self.job.valid),
                run.addr.eq(base + work.offset),
                run.beats.eq(Mux(moves, self._beats(work.words), 0)),
                run.index.eq(self.job.p.index),
                run.void.eq(~moves),
                pitch.eq(work.memory_pitch),
                left.eq(work.runs),
                final.eq(~moves | (work.runs == 1)),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [run.addr.eq(run.addr + pitch), left.eq(left - 1), final.eq(left == 2)]
            m.d.sync += busy.eq(~final)
        return m

    def _beats(self, words):
        shift = exact_log2(self.config.bus_bytes) - exact_log2(self.config.word_bytes)
        if shift > 0:
            return (words + (1 << shift) - 1) >> shift
        return words << -shift
