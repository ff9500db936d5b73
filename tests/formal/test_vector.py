"""A VECTOR job ends once, and its settings hold still while its values are inside."""

import pytest
from amaranth import Assert, Module, Signal, signed
from amaranth.hdl import Cover
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect, flipped

from shiftloom.hw import vector
from shiftloom.hw.requantizer import Requantizer
from shiftloom.hw.tap_unit import TapUnit
from shiftloom.hw.vector import Vector
from shiftloom.hw.vector_issue import token_layout
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import VectorSource

from .harness import broken, inner, opened
from .inside import SkidInside, anything, loops_inside, part
from .prove import RefutedError, inductive, needs_solver, reaches

pytestmark = needs_solver

TINY = load_config("tiny")

#: Jobs that the vector unit holds at most: one, and one whose completion is being reported.
MOST = 2


class Tokens(wiring.Component):
    """The vector unit without arithmetic, whatever is around it.

    Tokens accompany values; those on the present job's way are of the present job. Words go
    through the taps, sums of the array past them; a token also stays in the row of registers
    beside the taps when its way leads past it, and means nothing there.
    """

    def __init__(self, unit=Vector, invariants=True):
        self.dut, self.invariants = unit(TINY), invariants
        super().__init__(self.dut.signature)

    def elaborate(self, platform):
        m, dut = Module(), self.dut
        block = opened(m, "dut", dut, platform)
        for name, member in self.signature.members.items():
            if member.is_signature:
                connect(m, flipped(getattr(self, name)), getattr(dut, name))
        busy, job, from_words = ~dut.job.ready, inner(block, "job"), inner(block, "from_words")
        taps = self._registers(block, "summing", TapUnit.latency)
        stages = self._registers(block, "requantizing", Requantizer.latency(TINY))
        inside = [(~from_words & (n == 0)) | from_words for n in range(len(taps))]
        way = [(there, token) for there, token in zip(inside, taps, strict=True)]
        way += [(1, token) for token in stages]
        values = [there & token.emits for there, token in way]
        any_value = sum(values) != 0
        changed, before = Signal(), Signal(len(job), reset_less=True)
        held, enters = Signal(signed(4)), dut.job.valid & dut.job.ready
        m.d.sync += [before.eq(job), held.eq(held + enters - dut.done)]
        m.d.comb += changed.eq(job != before)
        m.d.comb += [
            Assert(~any_value | (busy & ~changed), "settings hold still while values are inside"),
            Assert(held == busy + dut.done, "a job ends once"),
            Assert(held <= MOST, "no more jobs inside"),
            Cover(any_value & (held == 1), "a value is inside"),
        ]
        if self.invariants:
            self._tokens(m, block, way, taps, stages)
        return m

    def _registers(self, block, name, count):
        layout = token_layout(TINY)
        return [data.View(layout, inner(block, f"{name}_{n}")) for n in range(1, count + 1)]

    def _tokens(self, m, block, way, taps, stages):
        """Claim where the present job's last token is, and that nothing is behind it."""
        issue, from_words = part(block, "issue"), inner(block, "from_words")
        nest, unit = loops_inside(m, part(issue, "nest", "loops")), issue.origins[0]
        layout, skid = unit._request_layout(), SkidInside(m, part(issue, "asked"), "asked")
        requests = [(valid, data.View(layout, payload).token) for valid, payload in skid.contents]
        row = [*reversed(requests), (1, unit.token), *way]
        busy = ~self.dut.job.ready
        starts = part(block, "parameters").origins[0].start
        lasts = nest.valid + sum(valid & token.last for valid, token in row)
        behind = nest.valid
        for n, (valid, token) in enumerate(row):
            m.d.comb += Assert(~(valid & token.last & behind), f"nothing behind a last token: {n}")
            behind = behind | (valid & (token.last | token.emits))
        m.d.comb += [
            Assert(busy == lasts, "one last token"),
            Assert(busy | ~behind, "nothing without a job"),
            Assert(~starts | ~self._any(row), "nothing at first"),
        ]
        for n, (beside, token) in enumerate(zip(taps[1:], stages, strict=False)):
            extra = (beside.last & ~token.last) | (beside.emits & ~token.emits)
            m.d.comb += Assert(from_words | ~extra, f"nothing but copies beside the way: {n}")
        job = data.View(self.dut.job.p.shape(), inner(block, "job"))
        words = job.loops.source == VectorSource.ACTIVATION
        m.d.comb += Assert(~self._any(row[2:]) | (from_words == words), "the job's own way")

    def _any(self, row):
        return sum(valid & (token.last | token.emits) for valid, token in row) != 0


@pytest.fixture(autouse=True)
def cut(monkeypatch):
    for name in ("Requantizer", "TapUnit"):
        monkeypatch.setattr(vector, name, anything(getattr(vector, name)))


@pytest.mark.slow
def test_settings_hold_still_while_values_are_inside():
    inductive(Tokens())


@pytest.mark.slow
def test_values_and_jobs_get_inside():
    reaches(Tokens(invariants=False), 17)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("self.job.ready.eq(~busy)", "self.job.ready.eq(1)"),
        ("ends.eq(tokens[-1].last)", "ends.eq(tokens[-2].last)"),
        ("ends.eq(tokens[-1].last)", "ends.eq(tokens[-1].emits)"),
        ("token.eq(tokens[Accumulators.latency(self.config)])", "token.eq(tokens[-1])"),
    ],
)
def test_a_job_that_ends_too_early_or_twice_is_found(was, instead):
    with pytest.raises(RefutedError):
        inductive(Tokens(broken(Vector, was, instead)))
