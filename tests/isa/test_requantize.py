"""Shift requantization against exact rationals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftloom.isa.requantize import (
    MID_HIGH,
    MID_LOW,
    Requantize,
    Rounding,
    requantize,
    shift_round,
)
from tests.isa.exact import exact_requantize, exact_round

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)


def ordered(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)


@st.composite
def parameters(draw):
    low, high = draw(st.one_of(st.just((MID_LOW, MID_HIGH)), ordered(MID_LOW, MID_HIGH)))
    out_low, out_high = draw(st.one_of(st.just((-128, 127)), ordered(-128, 255)))
    return {
        "rounding": draw(st.sampled_from(Rounding)),
        "low": low,
        "high": high,
        "out_shift": draw(st.integers(-8, 15)),
        "out_low": out_low,
        "out_high": out_high,
    }


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 5, 31])
def test_rounding_is_exact_around_ties(rounding, shift):
    unit = 1 << max(shift, 1)
    values = [k * unit // 2 + d for k in range(-9, 10) for d in (-1, 0, 1)]
    values += [-(1 << 32), (1 << 32) - 1]
    expected = [exact_round(value, shift, rounding) for value in values]
    assert shift_round(np.array(values), shift, rounding).tolist() == expected


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.HALF_EVEN, [-2, -2, 0, 0, 2, 2]),
        (Rounding.HALF_UP, [-2, -1, 0, 1, 2, 3]),
        (Rounding.FLOOR, [-3, -2, -1, 0, 1, 2]),
        (Rounding.HALF_AWAY, [-3, -2, -1, 1, 2, 3]),
    ],
)
def test_ties(rounding, expected):
    assert shift_round(np.array([-5, -3, -1, 1, 3, 5]), 1, rounding).tolist() == expected


@settings(max_examples=200)
@given(
    st.lists(INT32, min_size=1, max_size=8),
    st.integers(0, 31),
    parameters(),
    INT32,
    st.integers(-(1 << 16), 1 << 16),
)
def test_both_stages_are_exact(accs, shift, params, bias, addend):
    result = requantize(
        np.array(accs), Requantize(shift=(shift,), **params), bias=bias, addend=addend
    )
    expected = [exact_requantize(acc, shift, params, bias, addend) for acc in accs]
    assert result.tolist() == expected


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_shifts_belong_to_channels(axis):
    accs = np.random.default_rng(axis % 3).integers(-(1 << 20), 1 << 20, (3, 3, 3))
    shifts = (9, 13, 17)
    result = np.moveaxis(requantize(accs, Requantize(shift=shifts), channel_axis=axis), axis, 0)
    for channel, shift in enumerate(shifts):
        one = requantize(np.moveaxis(accs, axis, 0)[channel], Requantize(shift=(shift,)))
        assert np.array_equal(result[channel], one)


def test_arrays_of_bias_and_addend_broadcast():
    accs, bias, addend = np.array([[10, 20], [30, 40]]), np.array([1, 2]), np.array([3, 4])
    result = requantize(accs, Requantize(shift=(1,)), bias=bias, addend=addend)
    params = {"rounding": Rounding.HALF_EVEN, "low": MID_LOW, "high": MID_HIGH}
    params |= {"out_shift": 0, "out_low": -128, "out_high": 127}
    expected = [
        [exact_requantize(accs[i, j], 1, params, bias[j], addend[j]) for j in range(2)]
        for i in range(2)
    ]
    assert result.tolist() == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shift": ()}, r"shift must be 0…31 per channel, not \(\)"),
        ({"shift": (3, 32)}, r"shift must be 0…31 per channel, not \(3, 32\)"),
        ({"shift": (-1,)}, r"shift must be 0…31"),
        ({"low": 5, "high": 4}, "low, high must be ordered 16-bit values, not 5, 4"),
        ({"low": MID_LOW - 1}, "not -32769, 32767"),
        ({"high": MID_HIGH + 1}, "not -32768, 32768"),
        ({"out_shift": 16}, "out_shift must be -8…15, not 16"),
        ({"out_shift": -9}, "not -9"),
        ({"out_low": MID_LOW - 1}, "out_low, out_high must be ordered 16-bit values, not -32769"),
        ({"out_high": MID_HIGH + 1}, "not -128, 32768"),
        ({"out_low": 1, "out_high": 0}, "out_low, out_high must be ordered"),
    ],
)
def test_fields_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Requantize(**fields)
