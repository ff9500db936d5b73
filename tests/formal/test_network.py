"""Queues and counts together never stop while work is left, for programs that keep the rule."""

import pytest
from amaranth import Assert, Cat, Const, Module, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In

from shiftloom.hw.engine_queue import EngineQueue
from shiftloom.hw.interfaces import fields_layout, job_parts
from shiftloom.hw.tokens import Tokens
from shiftloom.isa.instructions import ENGINES

from .harness import broken, holds
from .prove import RefutedError, bounded, needs_solver, reaches

pytestmark = needs_solver

#: Bits of the counts that a program of these proofs waits for.
WAIT_BITS = 3

#: Cycles from an instruction's entry or the last completion to the next job, at most.
PATIENCE = 4


class Network(wiring.Component):
    """Any program in order, four queues, and engines that take any time but end.

    A wait names at most as many pieces of work of an engine as stand before it in the program.
    An engine holds one job. Claims that at most ``PATIENCE`` cycles pass in which nothing happens,
    no engine works and something is left to do.
    """

    def __init__(self, keeps_rule=True, queue=EngineQueue):
        self.keeps_rule = keeps_rule
        self.queue = broken(queue, "QUEUE_DEPTH = 16", "QUEUE_DEPTH = 3")
        members = {
            "i": In(stream.Signature(data.StructLayout({"engine": 2, "waits": 4 * WAIT_BITS}))),
            "ends": In(len(ENGINES)),
        }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.tokens = tokens = Tokens()
        holds(m, self.i, Assume, "i")
        taken, moves, busy = [], [], []
        issued_before = []
        for engine in ENGINES:
            name = engine.name.lower()
            m.submodules[f"queue_{name}"] = queue = self.queue(engine)
            works, before = Signal(name=f"works_{name}"), Signal(WAIT_BITS, name=f"before_{name}")
            mine = self.i.p.engine == engine
            enters, starts = queue.i.valid & queue.i.ready, queue.job.valid & queue.job.ready
            done = works & self.ends[engine]
            work = self._work(engine)
            m.d.comb += [
                queue.i.valid.eq(self.i.valid & mine),
                queue.i.p.bits.eq(work),
                queue.job.ready.eq(~works),
                tokens.issued[engine].eq(enters),
                tokens.done[engine].eq(done),
                Assume(~enters | ~before.all()),  # the counts of these proofs are short
            ]
            m.d.comb += [queue.completed[each].eq(tokens.completed[each]) for each in ENGINES]
            m.d.sync += [works.eq(starts | (works & ~done)), before.eq(before + enters)]
            taken.append(mine & queue.i.ready)
            moves += [enters, starts, done]
            busy.append(works)
            issued_before.append(before)
        still = Signal(4)
        left = self.i.valid | ~tokens.idle
        m.d.sync += still.eq(0)
        with m.If(left & ~Cat(moves).any() & ~Cat(busy).any()):
            m.d.sync += still.eq(still + 1)
        m.d.comb += [
            self.i.ready.eq(Cat(taken).any()),
            Assert(still <= PATIENCE, "something happens"),
            Cover(tokens.idle & (sum(issued_before) == 4), "four pieces of work, all done"),
            Cover(
                self.i.valid & ~self.i.ready & ~Cat(busy).all(), "a full queue stops the program"
            ),
        ]
        if self.keeps_rule:
            for engine, before in zip(ENGINES, issued_before, strict=True):
                m.d.comb += Assume(~self.i.valid | (self._wait(engine) <= before))
        return m

    def _wait(self, engine):
        return self.i.p.waits.word_select(engine, WAIT_BITS)

    def _work(self, engine):
        """Return an instruction: opcode and waits, all other fields zero."""
        opcode = job_parts(engine)["work"]
        fields = {f"wait_{each.name.lower()}": self._wait(each) for each in ENGINES}
        fields["opcode"] = Const(opcode)
        return Cat(
            Cat(value, Const(0, field.width - len(value)))
            for name, field in fields_layout(opcode)
            for value in (fields.get(name, Const(0, 0)),)
        )


@pytest.mark.slow
def test_work_never_stops_while_some_is_left():
    bounded(Network(), 14)
    reaches(Network(), 12)


def test_programs_that_wait_for_later_work_are_found():
    with pytest.raises(RefutedError, match="something happens"):
        bounded(Network(keeps_rule=False), 8)
