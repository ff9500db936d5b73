"""TQT's forward quantizer and the calibration of its thresholds, against published numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftloom.isa.requantize import Rounding, shift_round
from shiftloom.quant.drafts import reciprocal_code
from shiftloom.quant.thresholds import (
    exponent,
    kl_j,
    max_threshold,
    quantize_values,
    three_sigma,
)


def quantized(values, bits, signed, threshold):
    step = exponent(threshold, bits, signed)
    return np.ldexp(quantize_values(np.array(values), bits, signed, step), step)


def test_signed_values_round_and_saturate_as_tqt_does():
    x = [-1.3, -1.0, -0.9, -0.375, -0.125, 0.125, 0.375, 0.6, 0.8, 0.875, 1.2]
    expected = [-1, -1, -1, -0.5, 0, 0, 0.5, 0.5, 0.75, 0.75, 0.75]
    assert quantized(x, 3, True, 1.0).tolist() == expected


def test_unsigned_values_round_and_saturate_as_tqt_does():
    x = [-0.3, 0.0625, 0.1875, 0.9, 0.9375, 1.5]
    assert quantized(x, 3, False, 1.0).tolist() == [0, 0, 0.25, 0.875, 0.875, 0.875]


@given(st.floats(0.001, 1000), st.integers(2, 8), st.booleans())
def test_exponent_depends_on_the_octave_only(threshold, bits, signed):
    octave = np.ceil(np.log2(threshold))
    assert exponent(threshold, bits, signed) == exponent(float(2.0**octave), bits, signed)
    assert threshold <= 2.0 ** (exponent(threshold, bits, signed) + bits - signed)


@pytest.mark.parametrize(("octave", "expected"), [(1, 0.02131098), (2, 0.02109003)])
def test_error_of_a_normal_sample(octave, expected):
    x = np.random.default_rng(0).standard_normal(10000)
    error = quantized(x, 4, True, 2.0**octave) - x
    assert np.mean(error**2) == pytest.approx(expected, rel=1e-6)


def test_error_of_the_normal_distribution_is_least_at_the_published_octave():
    x = np.random.default_rng(1).standard_normal(400000)
    table = {2: [0.296144, 0.150200, 0.331948], 3: [0.206798, 0.0476292, 0.0834531]}
    for bits, expected in table.items():
        for octave, mse in enumerate(expected):
            found = np.mean((quantized(x, bits, True, 2.0**octave) - x) ** 2)
            assert found == pytest.approx(mse, rel=0.02)


def test_max_and_three_sigma():
    x = np.random.default_rng(0).standard_normal(10000)
    assert max_threshold(x) == pytest.approx(3.899421730, rel=1e-9)
    assert three_sigma(x) == pytest.approx(3.000542475, rel=1e-9)


def test_kl_j_numbers():
    x = np.random.default_rng(0).standard_normal(200000)
    assert kl_j(x, 8, True) == pytest.approx(3.797184797, rel=1e-9)
    assert kl_j(np.maximum(x, 0), 8, False) == pytest.approx(3.913371258, rel=1e-9)
    assert kl_j(x, 4, True) == pytest.approx(2.645882592, rel=1e-9)
    assert kl_j(x, 16, True) == pytest.approx(4.731957689, rel=1e-9)


def test_kl_j_with_one_outlier():
    x = np.append(np.random.default_rng(0).standard_normal(200000), 50.0)
    assert kl_j(x, 8, True) == pytest.approx(14.453125, rel=1e-3)


def test_kl_j_of_few_values_is_the_largest():
    assert kl_j(np.array([0.5, -3.0, 1.0]), 8, True) == 3.0
    assert kl_j(np.zeros(100000), 8, True) == 0.0


def test_right_shifts_round_as_listed():
    values = np.arange(-6, 7)
    even = [-2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2]
    up = [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert shift_round(values, 2, Rounding.HALF_EVEN).tolist() == even
    assert shift_round(values, 2, Rounding.HALF_UP).tolist() == up


@pytest.mark.parametrize(
    ("size", "code", "step"), [(9, 228, -11), (49, 167, -13), (4, 1, -2), (64, 1, -6), (1, 1, 0)]
)
def test_reciprocals_of_average_pools(size, code, step):
    assert reciprocal_code(size) == (code, step)
