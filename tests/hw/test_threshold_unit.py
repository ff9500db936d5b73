"""ThresholdUnit against the count of thresholds that a sum reaches."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.hw.threshold_unit import ThresholdUnit
from shiftloom.isa.config import load_config
from shiftloom.isa.thresholds import NEVER, Thresholds, apply_thresholds

TINY = load_config("tiny")
LANES = TINY.columns
INT32 = np.iinfo(np.int32)

DEPTHS = pytest.mark.parametrize("pipeline", [0, 1])

#: Stages of the hardware, and bits of the codes.
SIZES = pytest.mark.parametrize(
    ("stages", "bits"), [(s, b) for s in range(1, 5) for b in range(1, s + 1)]
)


async def load(ctx, dut, values, unused):
    """Write all threshold words of ``(lanes, count)`` values, one each cycle.

    Between words, and where their pairs come later, the other of both holds what is wrong.
    """
    padded = np.concatenate([values, np.full((LANES, 1), unused)], axis=1)
    words, lead = padded.shape[1] // 2, dut.write_lead(dut.config)
    for cycle in range(words + lead):
        ctx.set(dut.write.valid, cycle < words)
        ctx.set(dut.write.word, cycle % words)
        pairs = padded[:, 2 * (cycle - lead) :][:, :2] if cycle >= lead else padded[:, :2] + 1
        ctx.set(dut.write.pairs, [{"even": even, "odd": odd} for even, odd in pairs.tolist()])
        await ctx.tick()
    ctx.set(dut.write.valid, 0)


def run(simulate, pipeline, bits, banks, *, stages=4, low=0):
    """Return the codes that a unit makes of sums, for one bank and its sums after the other."""
    config = replace(TINY, threshold_bits=stages, pipeline=pipeline)
    dut, codes = ThresholdUnit(config), []
    latency = dut.latency(config)

    async def bench(ctx):
        ctx.set(dut.settings, {"threshold_bits": bits, "out_low": low})
        for values, sums, unused in banks:
            await load(ctx, dut, values, unused)
            for cycle in range(len(sums) + latency + 1):
                ctx.set(dut.sums, (sums[cycle] if cycle < len(sums) else sums[0] * 0).tolist())
                _, _, out = await ctx.tick().sample(dut.codes)
                if latency <= cycle < len(sums) + latency:
                    codes.append(list(out))

    simulate(dut, bench)
    return np.array(codes)


def around(values):
    """Return sums that meet each threshold of each lane, and what lies one beside."""
    sums = np.concatenate([values + step for step in (-1, 0, 1)], axis=1).T
    ends = np.repeat([[INT32.min], [-1], [0], [INT32.max - 1]], LANES, axis=1)
    return np.clip(np.concatenate([sums, ends]), INT32.min, INT32.max)


def expected(values, sums, low=0):
    bank = Thresholds(values=values.astype(np.int32), low=low)
    return apply_thresholds(sums, bank) & 0xFF


@DEPTHS
@SIZES
def test_each_threshold_counts_from_its_value_on(simulate, pipeline, stages, bits):
    rng, count = np.random.default_rng(stages), (1 << bits) - 1
    shifts = rng.integers(0, 31, (LANES, count))
    values = np.sort(rng.integers(INT32.min, INT32.max, (LANES, count)) >> shifts, axis=1)
    sums = around(values)
    got = run(simulate, pipeline, bits, [(values, sums, INT32.min)], stages=stages, low=-7)
    assert np.array_equal(got, expected(values, sums, -7))


@DEPTHS
@SIZES
def test_nothing_is_left_of_the_bank_before(simulate, pipeline, stages, bits):
    count = (1 << bits) - 1
    first = np.arange(LANES * count).reshape(LANES, count) - 5
    second = 1000 - first[::-1, ::-1]
    banks = [(first, around(first), -99), (second, around(second), -99)]
    got = run(simulate, pipeline, bits, banks, stages=stages)
    assert np.array_equal(got, np.concatenate([expected(v, s) for v, s, _ in banks]))


@DEPTHS
def test_thresholds_may_repeat_and_be_out_of_reach(simulate, pipeline):
    values = np.array([[3, 3, 3], [-9, NEVER, NEVER], [INT32.min, INT32.min, 0], [NEVER] * 3])
    sums = around(values)[:-3]
    sums = sums[(sums < NEVER).all(axis=1)]
    got = run(simulate, pipeline, 2, [(values, sums, 0)], low=200)
    assert np.array_equal(got, expected(values, sums, 200))
