"""Codes by thresholds count the thresholds reached, for all sums and sorted thresholds."""

import pytest
from amaranth import Assert, Module, Signal, signed
from amaranth.hdl import Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw.threshold_unit import ThresholdUnit
from shiftloom.isa.config import Config

from .harness import delayed, still
from .prove import RefutedError, bounded, needs_solver

pytestmark = needs_solver


def config(bits):
    return Config(
        name="thresholds", rows=2, columns=3, bus_bytes=8, activation_bytes=256, weight_bytes=256,
        parameter_bytes=1024, accumulator_pixels=8, burst_beats=16, threshold_bits=bits,
    )  # fmt: skip


class Compared(wiring.Component):
    """Writes all threshold words after reset, then compares every code with a count.

    ``bits`` is what the instruction says, at most ``stages``, what the hardware has.
    """

    def __init__(self, stages, bits, lane=0, reached=lambda value, threshold: value >= threshold):
        self.stages, self.bits, self.lane, self.reached = stages, bits, lane, reached
        super().__init__(
            {
                "threshold_bits": In(3),
                "value": In(signed(32)),
                "lowest": In(signed(9)),
                "even": In(signed(32)),
                "odd": In(signed(32)),
            }
        )

    @property
    def words(self):
        return 1 << (self.bits - 1)

    @property
    def depth(self):
        """Cycles until the first code whose sum came after all thresholds, and another one."""
        return self.words + ThresholdUnit.latency(config(self.stages)) + 2

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = ThresholdUnit(config(self.stages))
        cycle = Signal(range(self.depth + 1))
        writes = cycle < self.words
        with m.If(cycle < self.depth):
            m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += [
            dut.settings.threshold_bits.eq(self.threshold_bits),
            dut.settings.out_low.eq(self.lowest),
            dut.write.valid.eq(writes),
            dut.write.word.eq(cycle),
            dut.write.pairs[self.lane].even.eq(self.even),
            dut.write.pairs[self.lane].odd.eq(self.odd),
            dut.sums[self.lane].eq(self.value),
        ]
        m.d.comb += Assume(self.threshold_bits == self.bits)
        still(m, self.lowest, "lowest")
        count = self._count(m, cycle, writes)
        expected = delayed(
            m, (self.lowest + count)[:8], ThresholdUnit.latency(config(self.stages)), "expected"
        )
        checked = cycle >= self.words + ThresholdUnit.latency(config(self.stages))
        m.d.comb += Assert(~checked | (dut.codes[self.lane] == expected), "thresholds reached")
        return m

    def _count(self, m, cycle, writes):
        """Keep the thresholds, assume that they are sorted, and count those a value reaches."""
        kept = [
            Signal(signed(32), name=f"threshold_{n}", reset_less=True)
            for n in range((1 << self.bits) - 1)
        ]
        before = Signal(signed(32), init=-(1 << 31))
        with m.If(writes):
            m.d.sync += before.eq(self.odd)
            last = cycle == self.words - 1  # its odd one does not exist
            m.d.comb += Assume((before <= self.even) & (last | (self.even <= self.odd)))
        for n, threshold in enumerate(kept):
            with m.If(cycle == n // 2):
                m.d.sync += threshold.eq(self.odd if n % 2 else self.even)
        return sum(self.reached(self.value, threshold) for threshold in kept)


#: Stages of the hardware, bits of the codes.
SLOW = [(1, 1), *[(4, bits) for bits in (1, 2, 3, 4)]]
SIZES = [(2, 2), *[pytest.param(*sizes, marks=pytest.mark.slow) for sizes in SLOW]]


@pytest.mark.parametrize(("stages", "bits"), SIZES)
def test_codes_count_the_thresholds_reached(stages, bits):
    design = Compared(stages, bits)
    bounded(design, design.depth)


def test_a_comparison_that_excludes_equality_is_found():
    design = Compared(2, 2, reached=lambda value, threshold: value > threshold)
    with pytest.raises(RefutedError, match="thresholds reached"):
        bounded(design, design.depth)


@pytest.mark.slow
def test_a_threshold_in_the_wrong_table_is_found(monkeypatch):
    place = ThresholdUnit._place
    monkeypatch.setattr(ThresholdUnit, "_place", lambda self, s: (*place(self, s)[:2], "even"))
    design = Compared(2, 2)
    with pytest.raises(RefutedError, match="thresholds reached"):
        bounded(design, design.depth)
