"""WritePort: the channels that write memory."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from .axi import (
    OUTSTANDING,
    address_layout,
    burst_layout,
    response_layout,
    strobed_layout,
    write_data_layout,
)
from .skid import Skid
from .stream_queue import StreamQueue

__all__ = ["WritePort", "acknowledge_layout"]


def acknowledge_layout() -> data.StructLayout:
    """Return the answer to one burst: whether the bus reported an error."""
    return data.StructLayout({"error": 1})


class WritePort(wiring.Component):
    """Issue bursts and the beats that belong to them.

    Beats are matched to bursts in order. Takes one burst and one beat each cycle, with at most
    ``OUTSTANDING`` bursts in flight.

    While ``halt`` is set no burst is issued, and those in flight are completed with beats that
    write nothing.

    Parameters
    ----------
    config : Config
        Bus width and burst length.

    Members
    -------
    burst : In(stream.Signature(burst_layout(config)))
        Bursts to write.
    beat : In(stream.Signature(strobed_layout(config)))
        Their beats.
    acknowledge : Out(stream.Signature(acknowledge_layout()))
        Answers, one for each burst, in order.
    aw, w, b : Out(…), Out(…), In(…)
        Channels of the bus.
    halt : In(1)
        Stop, and complete what is in flight.
    idle : Out(1)
        No burst is in flight.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "burst": In(stream.Signature(burst_layout(config))),
                "beat": In(stream.Signature(strobed_layout(config))),
                "acknowledge": Out(stream.Signature(acknowledge_layout())),
                "aw": Out(stream.Signature(address_layout())),
                "w": Out(stream.Signature(write_data_layout(config))),
                "b": In(stream.Signature(response_layout())),
                "halt": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.addresses = addresses = Skid(address_layout())
        m.submodules.beats = beats = Skid(write_data_layout(self.config))
        m.submodules.lengths = lengths = StreamQueue(range(self.config.burst_beats), OUTSTANDING)
        connect(m, addresses.o, flipped(self.aw))
        connect(m, beats.o, flipped(self.w))

        in_flight = Signal(range(OUTSTANDING + 1))
        has_room = Signal(init=1)  # in_flight != OUTSTANDING
        may_issue = has_room & ~self.halt
        issues = self.burst.valid & self.burst.ready
        length = self.burst.p.beats - 1
        m.d.comb += [
            addresses.i.valid.eq(self.burst.valid & may_issue & lengths.i.ready),
            addresses.i.p.addr.eq(self.burst.p.addr),
            addresses.i.p.len.eq(length),
            lengths.i.valid.eq(self.burst.valid & may_issue & addresses.i.ready),
            lengths.i.payload.eq(length),
            self.burst.ready.eq(may_issue & addresses.i.ready & lengths.i.ready),
        ]

        position = Signal(range(self.config.burst_beats))
        last = position == lengths.o.payload
        m.d.comb += [
            beats.i.valid.eq(lengths.o.valid & (self.beat.valid | self.halt)),
            beats.i.p.data.eq(self.beat.p.data),
            beats.i.p.strb.eq(Mux(self.halt, 0, self.beat.p.strobe)),
            beats.i.p.last.eq(last),
            self.beat.ready.eq(lengths.o.valid & beats.i.ready & ~self.halt),
            lengths.o.ready.eq(beats.i.valid & beats.i.ready & last),
        ]
        with m.If(beats.i.valid & beats.i.ready):
            m.d.sync += position.eq(Mux(last, 0, position + 1))

        answered = self.b.valid & self.b.ready
        m.d.comb += [
            self.acknowledge.valid.eq(self.b.valid & ~self.halt),
            self.acknowledge.p.error.eq(self.b.p.resp[1]),
            self.b.ready.eq(self.acknowledge.ready | self.halt),
            self.idle.eq(in_flight == 0),
        ]
        m.d.sync += in_flight.eq(in_flight + issues - answered)
        with m.If(answered):
            m.d.sync += has_room.eq(1)
        with m.Elif(issues):
            m.d.sync += has_room.eq(in_flight != OUTSTANDING - 1)
        return m
