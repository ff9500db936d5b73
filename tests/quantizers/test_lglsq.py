"""LG-LSQ as deployed: optimal steps, the three-point probe, the arctangent round."""

import numpy as np
import pytest

from shiftloom.quant.quantizers.lglsq import (
    Lglsq,
    arctan_round,
    arctan_slope,
    decide,
    fixed_point_scales,
    initial_step,
    probe,
)
from tests.quantizers.distributions import normal_error, normal_quantiles

SIGNED = [
    (2, False, 1.048386, 0.149431, 0.727, 1.447, 1.59577),
    (3, False, 0.601823, 0.0406382, 0.436, 0.863, 0.92132),
    (4, False, 0.338608, 0.0118640, 0.254, 0.505, 0.60314),
    (8, False, 0.030766, 8.7707e-5, 0.0254, 0.0506, 0.14160),
    (2, True, 1.224008, 0.190174, 0.844, 1.680, None),
    (3, True, 0.650770, 0.0468600, 0.469, 0.933, None),
    (4, True, 0.353410, 0.0128894, 0.265, 0.527, None),
]
UNSIGNED = [
    (2, 0.650770, 0.0234300, 0.469, 0.933, 0.46066),
    (3, 0.353410, 0.00644469, 0.265, 0.527, 0.30157),
    (4, 0.193250, 0.00184661, 0.150, 0.298, 0.20601),
    (8, 0.016528, 1.2504e-5, 0.0139, 0.0277, 0.04997),
]


def minimum(function, low, high):
    """Return where a function with one minimum is least, by golden sections."""
    ratio = (5**0.5 - 1) / 2
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if function(a) < function(b) else (a, high)
    return (low + high) / 2


def check_row(quantizer, best, error, keeps):
    def at(step):
        return normal_error(step, quantizer.low, quantizer.high, not quantizer.signed)

    found = minimum(at, best / 1.5, best * 1.5)
    assert found == pytest.approx(best, rel=1e-4)
    assert at(found) == pytest.approx(error, rel=2e-5)
    for edge, inside in ((keeps[0], 1.02), (keeps[1], 1 / 1.02)):
        for step, keep in ((edge * inside, True), (edge / inside, False)):
            assert (decide(at(step / 2), at(step), at(2 * step)) == 0) == keep


@pytest.mark.parametrize("row", SIGNED)
def test_optimal_step_and_keep_interval_of_normal_values(row):
    bits, narrow, best, error, *keeps, _ = row
    check_row(Lglsq(step=1.0, bits=bits, signed=True, narrow=narrow), best, error, keeps)


@pytest.mark.parametrize("row", UNSIGNED)
def test_optimal_step_and_keep_interval_of_rectified_normal_values(row):
    bits, best, error, *keeps, _ = row
    check_row(Lglsq(step=1.0, bits=bits, signed=False), best, error, keeps)


@pytest.mark.parametrize(
    ("bits", "signed", "expected"),
    [(row[0], True, row[-1]) for row in SIGNED if row[-1]]
    + [(row[0], False, row[-1]) for row in UNSIGNED],
)
def test_initial_step_of_lsq(bits, signed, expected):
    x = normal_quantiles((np.arange(100000) + 0.5) / 100000)
    x = x if signed else np.maximum(x, 0)
    assert initial_step(x, bits, signed, "lsq") == pytest.approx(expected, rel=1e-4)


def test_initial_step_of_llsq():
    x = np.array([0.5, -3.0, 2.0])
    assert initial_step(x, 3, True) == 3.0 / 4
    assert initial_step(x, 4, False) == 3.0 / 16
    assert initial_step(x, 3, False) == 3.0 / 14


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((3, 2, 1), 1),  # falling: grow
        ((3, 2, 2), 1),
        ((1, 2, 3), -1),  # rising: shrink
        ((2, 2, 3), -1),
        ((3, 1, 2), 0),  # least in the middle: keep
        ((2, 1, 3), 0),
        ((2, 3, 1), 1),  # greatest in the middle: to the smaller side
        ((1, 3, 2), -1),
        ((2, 3, 2), -1),
        ((2, 2, 2), -1),
        ((2, 2, 1), 1),
    ],
)
def test_decisions_of_the_probe(errors, expected):
    assert decide(*errors) == expected


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_probe_is_stationary_exactly_where_the_error_is_least(bits):
    x = np.random.default_rng(bits).standard_normal(4096)
    for step in 2.0 ** np.linspace(-5, 2, 57):
        quantizers = [Lglsq(step=step * f, bits=bits, signed=True) for f in (0.5, 1, 2)]
        half, one, two = (np.mean((x - q.values(x)) ** 2) for q in quantizers)
        assert (probe(x, quantizers[1]) == 0) == (one < half and one < two)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_following_the_probe_ends_in_the_keep_interval(bits):
    x = np.random.default_rng(bits).standard_normal(4096)
    low, high = {row[0]: row[4:6] for row in SIGNED if not row[1]}[bits]
    for start in (0.003, 9.0):
        step = start
        for _ in range(200):
            step *= 1 + 0.1 * probe(x, Lglsq(step=step, bits=bits, signed=True))
        assert low * 0.93 < step < high * 1.07


@pytest.mark.parametrize(
    ("k", "peak", "edge"),
    [
        (1, 1.0784, 0.8627),
        (2, 1.2732, 0.6366),
        (5, 2.1003, 0.2897),
        (10, 3.6406, 0.1400),
        (20, 6.7975, 0.0673),
    ],
)
def test_slope_of_the_arctangent_round(k, peak, edge):
    assert arctan_slope(np.array([0.5, 0.0]), k) == pytest.approx([peak, edge], abs=6e-5)
    cell = (np.arange(200000) + 0.5) / 200000 - 3
    slope = arctan_slope(cell, k)
    assert slope.min() > 0
    assert slope.mean() == pytest.approx(1, abs=1e-6)


def test_arctangent_round_meets_integers_and_its_limits():
    x = np.linspace(-2, 2, 401)
    whole = np.arange(-3.0, 4.0)
    assert arctan_round(whole, 5.0) == pytest.approx(whole, abs=1e-12)
    assert arctan_round(x, 1e-4) == pytest.approx(x, abs=1e-6)
    clear = x[np.abs(x - np.floor(x) - 0.5) > 0.01]
    assert arctan_round(clear, 1e6) == pytest.approx(np.rint(clear), abs=1e-4)
    rise = (arctan_round(x + 1e-6, 3.0) - arctan_round(x - 1e-6, 3.0)) / 2e-6
    smooth = np.abs(x - np.rint(x)) > 1e-3
    assert rise[smooth] == pytest.approx(arctan_slope(x, 3.0)[smooth], rel=1e-5)


def test_codes_round_half_to_even_and_saturate():
    x = np.array([-9, -0.75, -0.25, 0.25, 0.75, 1.25, 9])
    assert Lglsq(step=0.5, bits=3, signed=True).codes(x).tolist() == [-4, -2, 0, 0, 2, 2, 3]
    assert Lglsq(step=0.5, bits=3, signed=True, narrow=True).codes(x).tolist()[0] == -3
    assert Lglsq(step=0.5, bits=2, signed=False).codes(x).tolist() == [0, 0, 0, 0, 2, 2, 3]


def test_scales_as_fixed_point_numbers():
    scales = np.array([0.0123, 0.4, 0.25])
    mantissas, exponent = fixed_point_scales(scales)
    assert (mantissas.tolist(), exponent) == ([3, 102, 64], -8)
    assert fixed_point_scales(np.array([0.5]))[0].max() <= 127
