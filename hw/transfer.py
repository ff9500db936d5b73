"""Transfer: both sides of LOAD and STORE jobs, bursts outside and words inside."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import Buffer, Engine
from ..isa.reach import ADDRESS_BITS
from .burst_splitter import BurstSplitter, run_layout
from .interfaces import job_layout
from .runs import REGIONS, Runs
from .stream_queue import StreamQueue
from .words import Words, area_layout, place_layout

__all__ = ["Transfer"]


class Transfer(wiring.Component):
    """Turn transfers into bursts, and into places in a buffer.

    The two sides advance on their own; either may be several jobs ahead of the other.

    Parameters
    ----------
    config : Config
        Word and bus width, burst length.
    jobs_ahead : int
        Jobs that the bursts may be ahead, beside the one whose words are moving.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.LOAD)))
        Transfers.
    bases : In(ADDRESS_BITS).array(REGIONS)
        Addresses of the regions.
    burst : Out(stream.Signature(run_layout(config)))
        Bursts; one of no beats for a job that moves nothing.
    place : Out(stream.Signature(place_layout()))
        Places of the words; a void one for a job that moves nothing.
    coming : Out(len(Buffer) + 1)
        With ``pipeline``: ``buffers`` of the next cycle's place, if there is one.
    """

    def __init__(self, config: Config, jobs_ahead: int) -> None:
        self.config = config
        self.jobs_ahead = jobs_ahead
        super().__init__(
            {
                "job": In(stream.Signature(job_layout(Engine.LOAD))),
                "bases": In(ADDRESS_BITS).array(REGIONS),
                "burst": Out(stream.Signature(run_layout(config))),
                "place": Out(stream.Signature(place_layout())),
                "coming": Out(len(Buffer) + 1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.runs = runs = Runs(self.config)
        m.submodules.splitter = splitter = BurstSplitter(self.config, self.config.burst_beats)
        m.submodules.areas = areas = StreamQueue(area_layout(), self.jobs_ahead)
        m.submodules.words = words = Words(self.config.pipeline)

        # A job enters both sides in the same cycle.
        m.d.comb += [
            runs.job.p.eq(self.job.p),
            runs.job.valid.eq(self.job.valid & areas.i.ready),
            areas.i.valid.eq(self.job.valid & runs.job.ready),
            areas.i.p.index.eq(self.job.p.index),
            self.job.ready.eq(runs.job.ready & areas.i.ready),
        ]
        for name in area_layout().members:
            if name != "index":
                m.d.comb += areas.i.p[name].eq(self.job.p.work[name])
        m.d.comb += [port.eq(base) for port, base in zip(runs.bases, self.bases, strict=True)]

        connect(m, runs.o, splitter.i)
        connect(m, splitter.o, flipped(self.burst))
        connect(m, areas.o, words.i)
        connect(m, words.o, flipped(self.place))
        m.d.comb += self.coming.eq(words.coming)
        return m
