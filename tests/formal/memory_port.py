# amaranth: UnusedElaboratable=no
"""The memory port of an accelerator, for proofs that it keeps the rules of AXI4."""

from amaranth import Assert, Mux, Signal
from amaranth.hdl import Assume
from amaranth.lib import data
from amaranth.utils import exact_log2

from shiftloom.hw.axi import OUTSTANDING, address_layout
from shiftloom.hw.burst_splitter import run_layout
from shiftloom.hw.fetch import Fetch

from .axi_rules import Bursts, is_allowed
from .harness import inner
from .inside import QueueInside, SkidInside, in_state, part
from .open_port import OpenPort

__all__ = ["Port"]


class Port(OpenPort):
    """An accelerator whose decoder, queues and engines on the chip may say anything.

    What fetches, loads and stores is there, with control and reset. Memory answers what it was
    asked for, and may stall.
    """

    def claim(self, m, bus, block, hw):
        self._read(m, bus, part(hw, "read_arbiter"))
        self._write(m, bus, part(hw, "write_port"))
        if self.invariants:
            self._runs(m, hw)
            self._control(m, part(block, "control", "sequencer"), hw)

    def _read(self, m, bus, reader):
        """Assume that no more comes than was asked for; claim that the machine knows what does."""
        due, ends = Signal(range(2 * OUTSTANDING)), bus.r.valid & bus.r.ready & bus.r.p.last
        m.d.sync += due.eq(due + (bus.ar.valid & bus.ar.ready) - ends)
        m.d.comb += Assume(~bus.r.valid | (due != 0))
        busy = (due != 0) | bus.ar.valid
        m.d.comb += Assert(~inner(reader, "idle") | ~busy, "idle only if nothing is read")
        if self.invariants:
            owners = QueueInside(m, part(reader, "owners"), "owners")
            beats = SkidInside(m, part(reader, "beats"), "r")
            addresses = self._addresses(m, reader, "ar")
            arrived = sum(valid & payload[-1] for valid, payload in beats.contents)
            expected = addresses.count + due + arrived
            m.d.comb += Assert(owners.count == expected, "all bursts have an owner")

    def _addresses(self, m, port, name):
        """Claim that addresses inside are allowed; return them."""
        skid = SkidInside(m, part(port, "addresses"), name)
        for valid, payload in skid.contents:
            p = data.View(address_layout(), payload)
            m.d.comb += Assert(~valid | is_allowed(p.addr, p.len, self.config), f"{name}: inside")
        return skid

    def _write(self, m, bus, writer):
        """Follow bursts from where they are promised: accepted from the engine that stores."""
        lengths = QueueInside(m, part(writer, "lengths"), "lengths")
        bursts = Bursts(m, lengths.enters, lengths.payload, bus.w)
        addressed, answered = Signal.like(bursts.ends), Signal.like(bursts.ends)
        m.d.sync += addressed.eq(addressed + (bus.aw.valid & bus.aw.ready))
        m.d.sync += answered.eq(answered + (bus.b.valid & bus.b.ready))
        m.d.comb += Assume(~bus.b.valid | ((answered != addressed) & (answered != bursts.ends)))
        same = bus.aw.p.len == bursts.lengths[addressed]
        busy = (answered != bursts.promises) | bus.aw.valid | bus.w.valid
        m.d.comb += [
            Assert(~bus.aw.valid | (addressed != bursts.promises), "aw: a burst that is promised"),
            Assert(~bus.aw.valid | same, "aw: the length that its data have"),
            Assert(~inner(writer, "idle") | ~busy, "idle only if nothing is written"),
        ]
        if self.invariants:
            self._bursts_inside(m, writer, bursts, lengths)
            self._numbers(m, writer, bursts, addressed, answered)

    def _bursts_inside(self, m, writer, bursts, lengths):
        """Claim that what waits inside has the lengths that were promised."""
        place, skid = (bursts.ends, bursts.position), SkidInside(m, part(writer, "beats"), "w")
        for valid, payload in skid.contents:
            m.d.comb += Assert(~valid | (payload[-1] == bursts.is_last(place)), "w: marks inside")
            place = [Mux(valid, *each) for each in zip(bursts.after(place), place, strict=True)]
        number, position = Signal.like(bursts.ends), inner(writer, "position")
        m.d.comb += [
            number.eq(place[0]),
            Assert(position == place[1], "w: position inside"),
            Assert((number + lengths.count)[: len(number)] == bursts.promises, "w: number inside"),
            Assert(~lengths.valid | (lengths.head == bursts.lengths[number]), "w: this length"),
        ]
        for n, (valid, payload) in enumerate(lengths.waiting):
            length = bursts.lengths[(number + lengths.valid + n)[: len(number)]]
            m.d.comb += Assert(~valid | (payload == length), f"w: length {n} behind it")
        for end, beat in ((bursts.ends, bursts.position), (number, position)):
            none = end == bursts.promises
            fits = Mux(none, beat == 0, beat <= bursts.lengths[end])
            m.d.comb += Assert(fits, "w: positions are below lengths")

    def _numbers(self, m, writer, bursts, addressed, answered):
        """Claim how far bursts have come: answered after addressed and ended, after promised."""
        skid, in_flight = self._addresses(m, writer, "aw"), inner(writer, "in_flight")
        promised, sent, ended = (
            (number - answered)[: len(answered)]
            for number in (bursts.promises, addressed, bursts.ends)
        )
        m.d.comb += [
            Assert(promised == in_flight, "bursts in flight are counted"),
            Assert(in_flight <= OUTSTANDING, "no more than there is room for"),
            Assert(inner(writer, "has_room") == (in_flight != OUTSTANDING), "room"),
            Assert(promised == sent + skid.count, "addresses wait"),
            Assert(ended <= promised, "data were promised"),
        ]
        for n, (valid, payload) in enumerate(skid.contents):
            p = data.View(address_layout(), payload)
            length = bursts.lengths[(addressed + n)[: len(addressed)]]
            m.d.comb += Assert(~valid | (p.len == length), "aw: lengths inside")

    def _runs(self, m, hw):
        """Claim that runs of no beats are those that move nothing, and what is known ahead."""
        for engine in ("load", "store"):
            runs = part(hw, engine, "transfer", "runs")
            self._void(m, inner(runs, "run"), inner(runs, "busy"))
            splitter = part(hw, engine, "transfer", "splitter")
            self._splitter(m, splitter, self.config.burst_beats)
        self._splitter(m, part(hw, "fetch", "splitter"), Fetch(self.config).burst_beats)

    def _void(self, m, run, busy):
        p = data.View(run_layout(self.config), run)
        m.d.comb += Assert(~busy | ((p.beats == 0) == p.void), "only void runs have no beats")
        return p

    def _splitter(self, m, splitter, most):
        busy, final = inner(splitter, "busy"), inner(splitter, "final")
        p, beat = self._void(m, inner(splitter, "run"), busy), exact_log2(self.config.bus_bytes)
        room = most - p.addr[beat : beat + exact_log2(most)]
        m.d.comb += Assert(~busy | (final == (p.beats <= room)), "the last burst is known ahead")
        m.d.comb += Assert(~busy | (inner(splitter, "room") == room), "so is the room")

    def _control(self, m, sequencer, hw):
        """Claim that the machine rests when it may be cleared."""
        idle, running = inner(hw, "idle"), inner(sequencer, "running")
        rests, clears, runs, resets = (
            in_state(sequencer, "fsm_state", name) for name in ("IDLE", "CLEAR", "RUN", "RESET")
        )
        begins, quiet, clear = (inner(sequencer, name) for name in ("begins", "quiet", "clear"))
        may_clear = rests | clears | resets | clear
        m.d.comb += [
            Assert(running == runs, "runs from the reset to the halt"),
            Assert(begins == clears, "begins with a reset"),
            Assert(~clear | clears | resets, "a reset has its states"),
            Assert(~quiet | (idle & ~runs), "what was idle in a halt stays so"),
            Assert(~may_clear | idle, "cleared only when idle"),
        ]
