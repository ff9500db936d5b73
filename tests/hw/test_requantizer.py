"""Requantizer against its integer definition."""

from dataclasses import replace

import numpy as np
import pytest

from shiftloom.hw.requantizer import Requantizer
from shiftloom.isa.config import Config
from shiftloom.isa.requantize import Rounding, shift_round

CONFIG = Config(
    name="two",
    rows=2,
    columns=3,
    bus_bytes=8,
    activation_bytes=256,
    weight_bytes=256,
    parameter_bytes=1024,
    accumulator_pixels=8,
    burst_beats=16,
)
DEEP = replace(CONFIG, pipeline=1)
CONFIGS = pytest.mark.parametrize("config", [CONFIG, DEEP], ids=["short", "deep"])
LANES = CONFIG.columns
INT32 = np.iinfo(np.int32)


def expected(data, settings):
    """Return codes from sums, in whole arrays."""
    values, bias, shift, addend, residual = data
    rounding = Rounding(settings["rounding"])
    biased = (values + bias).astype(np.int32).astype(np.int64)
    first = np.clip(shift_round(biased, shift, rounding), settings["low"], settings["high"])
    if settings["residual"]:
        typed = residual if settings["residual_unsigned"] else residual.astype(np.int8)
        addend = addend + (typed.astype(np.int64) << settings["residual_shift"])
    second = shift_round(first + addend, settings["out_shift"], rounding)
    return np.clip(second, settings["out_low"], settings["out_high"]) & 0xFF


def run(simulate, config, data, settings):
    """Return what the component makes of values, one row each cycle."""
    values, bias, shift, addend, residual = data
    dut = Requantizer(config)
    latency, residual_latency = dut.latency(config), dut.residual_latency(config)
    codes = []

    async def bench(ctx):
        ctx.set(dut.settings, settings)
        lanes = zip(bias.tolist(), shift.tolist(), addend.tolist(), strict=True)
        ctx.set(dut.parameters, [{"bias": b, "shift": s, "addend": a} for b, s, a in lanes])
        await ctx.tick()
        for cycle in range(len(values) + latency):
            if cycle < len(values):
                ctx.set(dut.values, values[cycle].tolist())
            late = cycle - residual_latency
            if 0 <= late < len(values):
                word = residual[late].astype(np.uint8).tobytes()
                ctx.set(dut.residual, int.from_bytes(word, "little"))
            _, _, out = await ctx.tick().sample(dut.codes)
            codes.append(list(out))

    simulate(dut, bench)
    return np.array(codes[latency:])


def random_settings(rng):
    low, high = np.sort(rng.integers(-(1 << 15), 1 << 15, 2)).tolist()
    out_low, out_high = np.sort(rng.integers(-256, 256, 2)).tolist()
    return {
        "rounding": int(rng.integers(4)),
        "low": low,
        "high": high,
        "out_shift": int(rng.integers(-16, 16)),
        "out_low": out_low,
        "out_high": out_high,
        "residual": int(rng.integers(2)),
        "residual_unsigned": int(rng.integers(2)),
        "residual_shift": int(rng.integers(8)),
    }


def spread(rng, shape):
    """Return integers of all magnitudes up to 32 bits."""
    magnitude = rng.integers(0, 32, shape)
    return rng.integers(INT32.min, INT32.max, shape, endpoint=True) >> magnitude


@CONFIGS
@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 10))]
)
def test_random_values_match_definition(simulate, config, seed):
    rng = np.random.default_rng(seed)
    settings = random_settings(rng)
    if seed % 2:  # wide limits, so that roundings show
        settings |= {"low": -(1 << 15), "high": (1 << 15) - 1, "out_low": -256, "out_high": 255}
        settings |= {"out_shift": int(rng.integers(0, 5)), "residual": 1}
        settings["residual_unsigned"] = seed % 4 == 1
    addend = 1 << (7 if seed % 2 else 15)
    data = (
        spread(rng, (40, LANES)),
        spread(rng, LANES) >> (seed % 2 * 20),
        rng.integers(0, 32, LANES),
        rng.integers(-addend, addend, LANES),
        rng.integers(0, 256, (40, LANES)),
    )
    got = run(simulate, config, data, settings)
    assert np.array_equal(got, expected(data, settings))


@pytest.mark.parametrize(
    ("config", "rounding"), [*((CONFIG, r) for r in Rounding), (DEEP, Rounding.HALF_EVEN)]
)
@pytest.mark.parametrize(("shifts", "out_shift"), [((3, 1, 31), 0), ((0, 1, 2), 2)])
def test_ties_match_definition(simulate, config, rounding, shifts, out_shift):
    numbers = [*range(-24, 24), INT32.min, INT32.max, -(1 << 30), 1 << 30, 3 << 29]
    values = np.repeat(np.array(numbers)[:, None], LANES, axis=1)
    settings = {
        "rounding": int(rounding),
        "low": -(1 << 15),
        "high": (1 << 15) - 1,
        "out_shift": out_shift,
        "out_low": -128,
        "out_high": 127,
        "residual": 0,
        "residual_unsigned": 0,
        "residual_shift": 0,
    }
    zero = np.zeros(LANES, np.int64)
    data = values, zero, np.array(shifts), zero, np.zeros(values.shape, np.int64)
    assert np.array_equal(run(simulate, config, data, settings), expected(data, settings))


@CONFIGS
def test_the_biased_sum_wraps_at_32_bits(simulate, config):
    values = np.repeat(np.array([INT32.min, -1, 0, 1, INT32.max])[:, None], LANES, axis=1)
    bias = np.array([INT32.min, 1, INT32.max])
    settings = {
        "rounding": int(Rounding.FLOOR),
        "low": -(1 << 15),
        "high": (1 << 15) - 1,
        "out_shift": 8,
        "out_low": -128,
        "out_high": 127,
        "residual": 0,
        "residual_unsigned": 0,
        "residual_shift": 0,
    }
    zero = np.zeros(LANES, np.int64)
    data = values, bias, zero + 16, zero, np.zeros(values.shape, np.int64)
    assert np.array_equal(run(simulate, config, data, settings), expected(data, settings))
