"""How much work engines hold at most, and that they complete no more than they were given.

With the depth of the queues in front of them this is what the counts of work assume.
"""

import pytest
from amaranth import Assert, Cat, Module, Mux, Signal, signed
from amaranth.hdl import Cover
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, connect, flipped

from shiftloom.hw import load, mac_engine, store, tokens
from shiftloom.hw.accumulators import Accumulators, operation_layout
from shiftloom.hw.axi import OUTSTANDING
from shiftloom.hw.engine_queue import QUEUE_DEPTH
from shiftloom.hw.feeder import Feeder
from shiftloom.hw.load import Load
from shiftloom.hw.mac_engine import MacEngine
from shiftloom.hw.store import Store
from shiftloom.isa.config import load_config

from . import test_vector
from .harness import broken, inner, opened
from .inside import Line, QueueInside, anything, loops_inside, part
from .prove import RefutedError, inductive, needs_solver, reaches

pytestmark = needs_solver

TINY = load_config("tiny")


class Held(wiring.Component):
    """An engine, whatever is around it; claims that it holds as many jobs as it says.

    Parameters
    ----------
    engine : wiring.Component
        The engine, with a ``job`` and ``done``.
    says : function
        Returns how many jobs are inside, and makes claims about what is, from module and engine.
    most : int
        What that never exceeds.
    """

    def __init__(self, engine, says, most):
        self.engine, self.says, self.most = engine, says, most
        super().__init__(engine.signature)

    def elaborate(self, platform):
        m, engine = Module(), self.engine
        block = opened(m, "engine", engine, platform)
        for name, member in self.signature.members.items():
            inside, outside = getattr(engine, name), getattr(self, name)
            if member.is_port and member.dimensions:
                pairs = zip(inside, outside, strict=True)
                m.d.comb += [one.eq(other) for one, other in pairs]
            elif member.is_signature:
                connect(m, flipped(outside), inside)
            elif member.flow is In:
                m.d.comb += inside.eq(outside)
        held, enters = Signal(signed(8)), engine.job.valid & engine.job.ready
        m.d.sync += held.eq(held + enters - engine.done)
        m.d.comb += [
            Assert(held == self.says(m, block), "jobs inside"),
            Assert(held <= self.most, "no more than there is room for"),
            Assert((held > 0) | ~engine.done, "none is completed that was not given"),
            Cover(held == 2, "two jobs inside"),
        ]
        return m


def held_by_load(m, block):
    """Jobs wait for their words, or their words are moving."""
    areas = QueueInside(m, part(block, "transfer", "areas"), "areas")
    return areas.count + inner(part(block, "transfer", "words"), "busy")


def held_by_store(m, block):
    """Jobs are at their runs, at the splitter with their last one, or their bursts are pending.

    The pending bursts' jobs have numbers, in order: a new one behind each job's last burst.
    """
    fragment = part(block, "pending")
    pending, runs, splitter = (
        QueueInside(m, fragment, "pending"),
        part(block, "transfer", "runs"),
        part(block, "transfer", "splitter"),
    )
    first, following = Signal(8), Signal(8)
    leaves = pending.valid & fragment.origins[0].o.ready
    enters = pending.payload[-2]
    line = Line(m, pending, leaves, Cat(enters, following), "line")
    m.d.sync += [
        first.eq(first + (leaves & pending.head[-2])),
        following.eq(following + (pending.enters & enters)),
    ]
    lasts, numbers = [p[0] for p in line.places], [p[1:] for p in line.places]
    m.d.comb += Assert(~pending.valid | (pending.head[-2] == lasts[0]), "pending: head")
    for n, (there, payload) in enumerate(pending.waiting):
        m.d.comb += Assert(
            ~there | (payload[-2] == line.of_waiting(pending, n)[0]), f"pending: {n}"
        )
    for n, (last, number) in enumerate(zip(lasts, numbers, strict=True)):
        behind = Mux(pending.count == n + 1, following, [*numbers, following][n + 1])
        m.d.comb += Assert((pending.count <= n) | (behind == (number + last)[:8]), f"job: {n}")
        ahead = (following - number)[:8]
        m.d.comb += Assert((pending.count <= n) | (ahead <= pending.count - n), f"jobs behind: {n}")
    m.d.comb += Assert(Mux(pending.count == 0, following, numbers[0]) == first, "first job")
    ends = inner(splitter, "busy") & inner(splitter, "run")[-2]
    return inner(runs, "busy") + ends + (following - first)[:8]


def held_by_mac(m, block):
    """Count a job that is offered to the feeder or runs there, and last operations under way."""
    feeder, accumulators = part(block, "feeder"), part(block, "accumulators")
    nest = loops_inside(m, part(feeder, "nest", "loops"))
    layout, total = operation_layout(TINY), feeder.origins[0].job.valid + nest.valid
    wait = Accumulators.done_latency(TINY)
    for fragment, stages in ((feeder, Feeder.latency(TINY)), (accumulators, wait)):
        for stage in range(stages):
            operation = data.View(layout, inner(fragment, f"operation_{stage}"))
            total += operation.valid & operation.last
    return total


def way(rows, columns):
    """Return the cycles of an operation from the feeder's loops to the last accumulator."""
    more = rows - TINY.rows + columns - TINY.columns
    return Feeder.latency(TINY) + Accumulators.done_latency(TINY) + more


#: Engines by name: the design, with so many jobs at most.
ENGINES = {
    "load": lambda block=Load: Held(block(TINY), held_by_load, load._JOBS_AHEAD + 1),
    "mac": lambda block=MacEngine: Held(block(TINY), held_by_mac, way(TINY.rows, TINY.columns) + 2),
    "store": lambda block=Store: Held(block(TINY), held_by_store, 2 * store.OUTSTANDING + 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_engines_hold_what_they_were_given(name, monkeypatch):
    monkeypatch.setattr(store, "OUTSTANDING", 4)
    monkeypatch.setattr(mac_engine, "MacArray", anything(mac_engine.MacArray))
    inductive(ENGINES[name]())
    reaches(ENGINES[name](), 7)


def most_in_mac(rows, columns=64):
    """Return how many jobs the array's engine holds at most: as many tiles as fit on the way.

    Of jobs whose last operations are on their way all but one swapped a tile in meanwhile, and all
    but one of these tiles were asked for meanwhile. One job runs beside them and one is offered.
    """
    return way(rows, columns) // rows + 3 + 2


def test_counts_of_work_have_room_for_what_engines_hold():
    room = tokens._OUTSTANDING - QUEUE_DEPTH
    assert room > load._JOBS_AHEAD + 1
    assert room > 2 * OUTSTANDING + 2
    assert room > test_vector.MOST
    assert max(most_in_mac(rows) for rows in range(2, 65)) < room


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "block", "was", "instead"),
    [
        ("load", Load, "place.ready & place.p.job_ends", "place.p.job_ends"),
        ("load", Load, "place.ready & place.p.job_ends", "place.ready & place.p.run_ends"),
        ("mac", MacEngine, "~feeder.job.valid & ~loader.job.valid", "~loader.job.valid"),
        ("mac", MacEngine, "self.done.eq(accumulators.done)", "self.done.eq(feeder.ends)"),
        ("store", Store, "answered & pending.o.p.last", "answered"),
        ("store", Store, "pending.i.p.last.eq(burst.p.last)", "pending.i.p.last.eq(1)"),
        ("store", Store, "burst.ready.eq(pending.i.ready &", "burst.ready.eq("),
    ],
)
def test_work_that_is_lost_or_doubled_is_found(name, block, was, instead):
    with pytest.raises(RefutedError, match=r"jobs inside|was not given"):
        inductive(ENGINES[name](broken(block, was, instead)))
