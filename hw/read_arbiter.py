"""ReadArbiter: Fetch and Load share the channels that read memory."""

from amaranth import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from .axi import OUTSTANDING, address_layout, beat_layout, burst_layout, read_layout
from .skid import Skid
from .stream_queue import StreamQueue

__all__ = ["ReadArbiter"]


class ReadArbiter(wiring.Component):
    """Issue the bursts of two requesters and return their beats.

    Fetch goes first. All bursts have one identifier, so their beats come back in order; a queue
    remembers whose they are. Issues one burst each cycle while fewer than ``OUTSTANDING`` are in
    flight, and passes one beat each cycle.

    While ``halt`` is set no burst is issued and beats that still arrive are dropped.

    Parameters
    ----------
    config : Config
        Bus width and burst length.

    Members
    -------
    fetch_burst, load_burst : In(stream.Signature(burst_layout(config)))
        Bursts to read.
    fetch_beat, load_beat : Out(stream.Signature(beat_layout(config)))
        Beats of these bursts. What is offered may be withdrawn when ``halt`` rises.
    ar, r : Out(…), In(…)
        Channels of the bus.
    halt : In(1)
        Stop, and drop what arrives.
    idle : Out(1)
        No burst is in flight.
    fetch_taken, load_taken : Out(1)
        A beat arrives, wanted or not.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "fetch_burst": In(stream.Signature(burst_layout(config))),
                "load_burst": In(stream.Signature(burst_layout(config))),
                "fetch_beat": Out(stream.Signature(beat_layout(config))),
                "load_beat": Out(stream.Signature(beat_layout(config))),
                "ar": Out(stream.Signature(address_layout())),
                "r": In(stream.Signature(read_layout(config))),
                "halt": In(1),
                "idle": Out(1),
                "fetch_taken": Out(1),
                "load_taken": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.addresses = addresses = Skid(address_layout())
        m.submodules.beats = beats = Skid(read_layout(self.config))
        m.submodules.owners = owners = StreamQueue(1, OUTSTANDING)
        connect(m, addresses.o, flipped(self.ar))
        connect(m, flipped(self.r), beats.i)

        fetches = self.fetch_burst.valid
        offered = (fetches | self.load_burst.valid) & ~self.halt
        may_issue = addresses.i.ready & owners.i.ready & ~self.halt
        length = Mux(fetches, self.fetch_burst.p.beats, self.load_burst.p.beats) - 1
        m.d.comb += [
            addresses.i.valid.eq(offered & owners.i.ready),
            addresses.i.p.addr.eq(Mux(fetches, self.fetch_burst.p.addr, self.load_burst.p.addr)),
            addresses.i.p.len.eq(length),
            owners.i.valid.eq(offered & addresses.i.ready),
            owners.i.payload.eq(fetches),
            self.fetch_burst.ready.eq(may_issue),
            self.load_burst.ready.eq(may_issue & ~fetches),
        ]

        to_fetch = owners.o.payload
        arrived = beats.o.valid & owners.o.valid
        taken = self.halt | Mux(to_fetch, self.fetch_beat.ready, self.load_beat.ready)
        m.d.comb += [
            self.fetch_beat.valid.eq(arrived & to_fetch & ~self.halt),
            self.load_beat.valid.eq(arrived & ~to_fetch & ~self.halt),
            beats.o.ready.eq(owners.o.valid & taken),
            owners.o.ready.eq(beats.o.valid & taken & beats.o.p.last),
            self.idle.eq(owners.empty),
            self.fetch_taken.eq(arrived & taken & to_fetch),
            self.load_taken.eq(arrived & taken & ~to_fetch),
        ]
        for beat in (self.fetch_beat, self.load_beat):
            m.d.comb += [beat.p.data.eq(beats.o.p.data), beat.p.error.eq(beats.o.p.resp[1])]
        return m
