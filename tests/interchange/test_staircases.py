"""Quantizers as staircases rise exactly where their definition says."""

from fractions import Fraction

import numpy as np
import pytest

from shiftloom.quant.interchange.closing import log2_exact
from shiftloom.quant.staircases import ROUNDINGS, Bank, Uniform, round_exact

from .reference import ROUNDINGS as BY_DEFINITION
from .reference import quant

#: Eighths from -12 to 12: all ties, and what lies beside them.
EIGHTHS = [Fraction(n, 8) for n in range(-96, 97)]


def reached(row, value):
    """Return how many boundaries a number reaches."""
    return sum(value >= b.value if b.included else value > b.value for b in row)


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_rounding_of_fractions(mode):
    expected = BY_DEFINITION[mode](np.array([float(v) for v in EIGHTHS]))
    assert [round_exact(v, mode) for v in EIGHTHS] == expected.tolist()


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("zero", [0, 1, -3])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("narrow", [0, 1])
def test_codes_and_boundaries(mode, zero, signed, narrow):
    low, high = (-4 + narrow, 3) if signed else (0, 7 - narrow)
    rule = Uniform(step=Fraction(3, 4), low=low, high=high, zero=zero, rounding=mode)
    (row,) = rule.rows()
    values = [v * Fraction(3, 4) for v in EIGHTHS]
    made = quant(
        [float(v) for v in values], 0.75, zero, 3, signed=signed, narrow=narrow, rounding_mode=mode
    )
    for value, expected in zip(values, made / 0.75, strict=True):
        assert rule.code(value) == rule.codes[0] + reached(row, value) == expected


def test_banks_jump():
    bank = Bank(
        thresholds=((Fraction(1, 3), Fraction(2)), (Fraction(0), Fraction(5))), low=-3, jump=2
    )
    assert bank.codes == (-3, 1)
    assert [[float(b.value) for b in row] for row in bank.rows()] == [
        [1 / 3, 1 / 3, 2, 2],
        [0, 0, 5, 5],
    ]
    assert bank.picked([1, 1, 0]).thresholds[2] == bank.thresholds[0]


def test_powers_of_two():
    assert [log2_exact(Fraction(n, d)) for n, d in ((8, 1), (1, 4), (1, 1))] == [3, -2, 0]
    assert [log2_exact(Fraction(n, d)) for n, d in ((3, 4), (0, 1), (-2, 1), (2, 3))] == [None] * 4
