"""Jobs leave an engine's queue in order, with the settings before them, once waits are met."""

import pytest
from amaranth import Assert, Module, Signal
from amaranth.hdl import Assume, Cover
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from shiftloom.hw.engine_queue import EngineQueue
from shiftloom.hw.interfaces import instruction_layout, job_layout, job_parts
from shiftloom.hw.tokens import COUNT_BITS
from shiftloom.isa.instructions import ENGINES, Engine

from .harness import broken, holds
from .prove import RefutedError, bounded, inductive, needs_solver, reaches

pytestmark = needs_solver

#: Shorter than the real one, so that runs that fill it are short.
SHORT = "QUEUE_DEPTH = 16", "QUEUE_DEPTH = 3"


class Queued(wiring.Component):
    """Counts of completed work only grow, instructions are the engine's; jobs are as they must be.

    ``mark`` chooses any one piece of work, which is followed from queue to job, if ``follow``. With
    ``pipeline`` the engine stays ready until it gets a job, as engines do.
    """

    def __init__(self, engine, queue=EngineQueue, follow=True, pipeline=0):
        self.engine, self.queue, self.follow = engine, queue, follow
        self.pipeline = pipeline
        super().__init__(
            {
                "i": In(stream.Signature(instruction_layout())),
                "completed": In(COUNT_BITS).array(len(ENGINES)),
                "job": Out(stream.Signature(job_layout(engine))),
                "mark": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.queue(self.engine, self.pipeline)
        if self.pipeline:
            stays = Signal()
            m.d.sync += stays.eq(dut.job.ready & ~dut.job.valid)
            m.d.comb += Assume(~stays | dut.job.ready)
        connect(m, flipped(self.i), dut.i)
        connect(m, dut.job, flipped(self.job))
        for engine, count in zip(ENGINES, self.completed, strict=True):
            before = Signal(COUNT_BITS, name=f"completed_before_{engine.name.lower()}")
            wait = dut.job.p.work[f"wait_{engine.name.lower()}"]
            m.d.sync += before.eq(count)
            m.d.comb += [
                dut.completed[engine].eq(count),
                Assume(before <= count),
                Assert(~dut.job.valid | (count >= wait), "no job starts before its waits are met"),
            ]
        holds(m, dut.i, Assume, "i")
        holds(m, dut.job, Assert, "job")
        if self.follow:
            self._follow(m, dut)
        return m

    def _follow(self, m, dut):
        """Claim that the marked piece of work leaves in its turn, with the settings before it."""
        job, parts = dut.job.p.shape(), job_parts(self.engine)
        views = {
            name: data.View(job.members[name], dut.i.p.bits[: job.members[name].size])
            for name in parts
        }
        is_part = {name: views[name].opcode == opcode for name, opcode in parts.items()}
        enters, leaves = dut.i.valid & dut.i.ready, dut.job.valid & dut.job.ready
        works = enters & is_part["work"]
        inside, ahead, follows, marked = Signal(4), Signal(4), Signal(), Signal()
        latest, expected = Signal(job), Signal(job)
        m.d.comb += Assume(~dut.i.valid | sum(is_part.values()).any())
        m.d.sync += inside.eq(inside + works - leaves)
        for name in parts:
            with m.If(enters & is_part[name]):
                m.d.sync += latest[name].eq(views[name])
        with m.If(self.mark & works & ~marked):
            m.d.sync += [marked.eq(1), follows.eq(1), ahead.eq(inside - leaves)]
            m.d.sync += [expected.eq(latest), expected.work.eq(views["work"])]
            m.d.sync += expected.index.eq(dut.i.p.index)
        with m.If(follows & leaves):
            m.d.sync += [ahead.eq(ahead - 1), follows.eq(ahead != 0)]
            m.d.comb += Assert((ahead != 0) | (dut.job.payload == expected), "in its turn, whole")
        m.d.comb += [
            Assert(~dut.job.valid | (inside != 0), "nothing is invented"),
            Cover(follows & leaves & (ahead == 0) & (inside == 3), "work behind work"),
        ]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_jobs_stay_and_start_when_their_waits_are_met(engine):
    inductive(Queued(engine, follow=False))


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("engine", ENGINES)
def test_jobs_leave_in_order(engine, pipeline):
    design = Queued(engine, broken(EngineQueue, *SHORT), pipeline=pipeline)
    bounded(design, 7 + pipeline)
    reaches(design, 7 + 4 * pipeline)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("met[0] & met[1] & met[2]", "met[0] & met[2]"),
        ("job.valid.eq(starts)", "job.valid.eq(queue.o.valid & is_work)"),
        ("~is_work | (starts & (", "~is_work | (1 & ("),
        ("kinds[name] & ~is_work", "kinds[name] & ~is_work & self.job.ready"),
        ("queue.i.p.index.eq(self.i.p.index)", "queue.i.p.index.eq(0)"),
    ],
)
def test_wrong_queues_are_found(was, instead):
    with pytest.raises(RefutedError):
        bounded(Queued(Engine.VECTOR, broken(EngineQueue, was, instead)), 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("self.job.ready & ~moves", "self.job.ready"),
        ("may & self.job.ready", "may"),
        ("is_work & queue.o.valid & all_met", "is_work & all_met"),
    ],
)
def test_wrong_queues_with_a_register_more_are_found(was, instead):
    with pytest.raises(RefutedError):
        bounded(Queued(Engine.VECTOR, broken(EngineQueue, was, instead), pipeline=1), 6)
