"""The memory port of a serial accelerator, for proofs that it keeps the rules of AXI4."""

from amaranth import Assert, Mux, Signal
from amaranth.hdl import Assume

from shiftloom.isa.config import INSTRUCTION_BYTES

from .axi_rules import Bursts
from .harness import inner
from .inside import in_state, part, unnamed
from .open_port import OpenPort

__all__ = ["SerialPort"]


class SerialPort(OpenPort):
    """A serial accelerator whose units that compute say anything, but only in their turn.

    Their turn is while the unit that moves data rests. Memory answers what it was asked for.

    """

    def claim(self, m, bus, block, hw):
        self._take_turns(m, hw)
        due, bursts = self._read(m, bus), self._write(m, bus)
        busy = bus.ar.valid | bus.aw.valid | bus.w.valid | (due != 0)
        idle = inner(part(hw, "transfer"), "idle")
        m.d.comb += Assert(
            ~idle | (~busy & (bursts.ends == bursts.promises)), "idle only if nothing is in flight"
        )
        if self.invariants:
            self._moves(m, part(hw, "transfer"), due, bursts)
            self._instructions(m, part(hw, "sequencer"), part(hw, "transfer"))
            self._control(m, part(block, "control", "sequencer"), idle)

    def _take_turns(self, m, hw):
        """Assume that nothing computes while data move."""
        rests = in_state(part(hw, "transfer"), "bursts_state", "IDLE")
        acts = {"mac": ("step", "done"), "vector": ("done", "reads", "residual", "write__valid")}
        for unit, names in acts.items():
            for name in names:
                m.d.comb += Assume(~inner(part(hw, unit), name) | rests)

    def _read(self, m, bus):
        """Assume that as many beats come as were asked for; return how many are due."""
        due = Signal(range(self.config.burst_beats + 1))
        m.d.comb += [
            Assume(~bus.r.valid | (due != 0)),
            Assume(~bus.r.valid | (bus.r.p.last == (due == 1))),
        ]
        with m.If(bus.ar.valid & bus.ar.ready):
            m.d.sync += due.eq(bus.ar.p.len + 1)
        with m.Elif(bus.r.valid & bus.r.ready):
            m.d.sync += due.eq(due - 1)
        return due

    def _write(self, m, bus):
        """Follow bursts from where they are addressed."""
        length = Signal(range(self.config.burst_beats))
        m.d.comb += length.eq(bus.aw.p.len)
        return Bursts(m, bus.aw.valid & bus.aw.ready, length, bus.w, most=2)

    def _moves(self, m, transfer, due, bursts):
        """Claim what the unit that moves data knows in its states."""
        unit, (fetches,) = transfer.origins[0], unnamed(transfer)
        left, beats = unit._left, unit._beats

        def moving(*states):
            return in_state(transfer, "bursts_state", *states)

        writes = moving("LOOK", "WRITE")
        none = (bursts.ends == bursts.promises) & (bursts.position == 0)
        rest = bursts.lengths[bursts.ends] - bursts.position
        some = (bursts.ends != bursts.promises) & (rest == beats)
        m.d.comb += [
            Assert(Mux(moving("READ"), due == beats + 1, due == 0), "beats that are due"),
            Assert(Mux(writes, some, none), "beats that are left"),
            Assert(~(moving("READ") | writes) | (left > beats), "a burst is part of the run"),
            Assert(~moving("REQUEST") | (left != 0), "no burst is empty"),
            Assert(~(writes | moving("ANSWER")) | ~fetches, "instructions are not written"),
            Assert(~unit.word.valid | moving("IDLE") | fetches, "words pass in turn"),
        ]

    def _instructions(self, m, sequencer, transfer):
        """Claim where the unit that moves data is while an instruction passes."""
        unit, (fetches,) = transfer.origins[0], unnamed(transfer)

        def moving(*states):
            return in_state(transfer, "bursts_state", *states)

        def doing(*states):
            return in_state(sequencer, "instructions_state", *states)

        words = 8 * INSTRUCTION_BYTES // 32
        comes = moving("REQUEST", "READ", "NEXT", "HALTED") & (unit._left + unit.addr == words)
        ended = moving("NEXT") & (unit._left == 0)
        rests = doing("BEGIN", "FETCH", "REPLAY", "START", "ADVANCE", "ENDED")
        m.d.comb += [
            Assert(~rests | moving("IDLE"), "nothing moves between"),
            Assert(
                ~doing("RECEIVE") | (fetches & comes & (unit._left != 0)), "an instruction comes"
            ),
            Assert(~doing("DECODE") | moving("IDLE") | (fetches & ended), "it is there"),
            Assert(~doing("WORK") | moving("IDLE") | ~fetches, "it is carried out"),
        ]

    def _control(self, m, sequencer, idle):
        """Claim that the machine rests when it may be cleared."""
        rests, clears, runs = (
            in_state(sequencer, "fsm_state", name) for name in ("IDLE", "CLEAR", "RUN")
        )
        may_clear = rests | clears | inner(sequencer, "clear")
        m.d.comb += [
            Assert(inner(sequencer, "running") == runs, "runs from the reset to the halt"),
            Assert(~may_clear | idle, "cleared only when idle"),
        ]
