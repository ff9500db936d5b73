"""Codes by thresholds count the thresholds reached, for all sums and all sorted thresholds."""

import itertools

import pytest
from amaranth import Assert, Module, Mux, Signal, signed
from amaranth.hdl import Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from shiftloom.hw.threshold_unit import ThresholdUnit, table_write_layout
from shiftloom.isa.config import Config

from .harness import broken, delayed, inner, opened, still
from .inside import part, rows
from .prove import RefutedError, needs_solver, settled

pytestmark = needs_solver


def config(bits):
    return Config(
        name="thresholds", rows=2, columns=3, bus_bytes=8, activation_bytes=256, weight_bytes=256,
        parameter_bytes=1024, accumulator_pixels=8, burst_beats=16, threshold_bits=bits,
    )  # fmt: skip


def tables(unit, stages, lane=0):
    """Return a lane's thresholds in order, from the tables of an elaborated unit.

    Stage s decides about bit ``stages - 1 - s`` of the code: its table holds, for each choice of
    the bits above, the threshold that is reached if this bit is set.
    """
    kept = [None] * ((1 << stages) - 1)
    for stage in range(stages):
        bit, table = stages - 1 - stage, f"table_{stage}_{lane}"
        held = rows(part(unit, table), table) if stage else [inner(unit, f"threshold_{lane}")]
        for above, threshold in enumerate(held):
            kept[(above << (bit + 1)) + (1 << bit) - 1] = threshold.as_signed()
    return kept


class Searched(wiring.Component):
    """Compares codes with the thresholds in the tables, while none is written.

    ``bits`` is what the instruction says, at most ``stages``, what the hardware has.
    """

    def __init__(self, stages, bits, unit=ThresholdUnit):
        self.bits, self.dut = bits, unit(config(stages))
        members = {
            "threshold_bits": In(3),
            "value": In(signed(32)),
            "lowest": In(signed(9)),
            "write": In(table_write_layout(self.dut.config)),
        }
        super().__init__(members)

    def elaborate(self, platform):
        m, dut = Module(), self.dut
        unit = opened(m, "dut", dut, platform)
        m.d.comb += [
            dut.settings.threshold_bits.eq(self.threshold_bits),
            dut.settings.out_low.eq(self.lowest),
            dut.sums[0].eq(self.value),
            dut.write.eq(self.write),
            Assume(self.threshold_bits == self.bits),
            Assume(~self.write.valid),
        ]
        still(m, self.lowest, "lowest")
        thresholds = tables(unit, dut.config.threshold_bits)[: (1 << self.bits) - 1]
        for lower, upper in itertools.pairwise(thresholds):
            m.d.comb += Assume(lower <= upper)
        value, count = delayed(m, self.value, dut.latency(dut.config), "value"), Signal(8)
        m.d.comb += count.eq(dut.codes[0] - self.lowest)
        m.d.comb += Assert(count <= len(thresholds), "no more than there are")
        for n, threshold in enumerate(thresholds):
            m.d.comb += Assert((count > n) == (value >= threshold), f"threshold {n} is reached")
        return m


class Written(wiring.Component):
    """Claims that a threshold word changes its two thresholds in a lane's tables, and no other."""

    def __init__(self, stages, lane=0, unit=ThresholdUnit):
        self.stages, self.lane, self.dut = stages, lane, unit(config(stages))
        inputs = ("settings", "write", "sums")
        super().__init__({name: self.dut.signature.members[name] for name in inputs})

    def elaborate(self, platform):
        m, dut = Module(), self.dut
        unit = opened(m, "dut", dut, platform)
        m.d.comb += [dut.write.eq(self.write), dut.sums.eq(self.sums)]
        m.d.comb += dut.settings.eq(self.settings)
        m.d.comb += Assume(dut.write.word < 1 << (self.stages - 1))
        pair = dut.write.pairs[self.lane]
        for n, threshold in enumerate(tables(unit, self.stages, self.lane)):
            given = pair.odd if n % 2 else pair.even
            takes = dut.write.valid & (dut.write.word == n // 2)
            expected = delayed(m, Mux(takes, given, threshold), 1, f"expected_{n}")
            m.d.comb += Assert(threshold == expected, f"threshold {n} in its place")
        return m


#: Stages of the hardware, bits of the codes.
SIZES = [(stages, bits) for stages in (1, 2, 3, 4) for bits in range(1, stages + 1)]
QUICK = [(2, 2), (4, 4)]
SLOW = [pytest.param(*size, marks=pytest.mark.slow) for size in SIZES if size not in QUICK]


@pytest.mark.parametrize(("stages", "bits"), [*QUICK, *SLOW])
def test_codes_count_the_thresholds_reached(stages, bits):
    settled(Searched(stages, bits), ThresholdUnit.latency(config(stages)))


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_thresholds_are_kept_where_they_are_looked_for(stages):
    settled(Written(stages), 1)


def test_a_comparison_that_excludes_equality_is_found():
    strict = broken(ThresholdUnit, "value >= threshold", "value > threshold")
    with pytest.raises(RefutedError, match="is reached"):
        settled(Searched(4, 4, strict), ThresholdUnit.latency(config(4)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("Cat(reached, found)", "Cat(found, reached)"),
        ("enables[lane][stage] & (value", "(value"),
        ("threshold_bits >= stages - stage for", "threshold_bits > stages - stage for"),
        ('value = register(f"value_{stage}", value)', "pass"),
    ],
)
def test_a_wrong_search_is_found(was, instead):
    with pytest.raises(RefutedError, match=r"is reached|there are"):
        settled(
            Searched(4, 3, broken(ThresholdUnit, was, instead)), ThresholdUnit.latency(config(4))
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ('word[between + 1 :], "odd"', 'word[between + 1 :], "even"'),
        ("(1 << between) - 1", "1 << between"),
        ("return valid & ends,", "return valid,"),
        ("write.en.eq(enable)", "write.en.eq(1)"),
    ],
)
def test_a_threshold_in_the_wrong_place_is_found(was, instead):
    with pytest.raises(RefutedError, match="in its place"):
        settled(Written(4, unit=broken(ThresholdUnit, was, instead)), 1)
