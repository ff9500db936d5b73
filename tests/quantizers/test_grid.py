"""LSBQ's scalars on a grid: levels are small codes, and comparators make exactly them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftloom.quant.quantizers.comparators import integer_bank
from shiftloom.quant.quantizers.grid import GridLsbq, grid_scalars
from shiftloom.quant.quantizers.lsbq import Lsbq, ls2

SCALARS = st.lists(st.floats(1e-3, 50), min_size=1, max_size=2).map(
    lambda values: tuple(sorted(values, reverse=True))
)


@given(SCALARS, st.booleans())
def test_comparators_make_the_codes(scalars, centred):
    grid = grid_scalars(scalars, centred)
    span = 3 * sum(grid.factors) * 2.0**grid.exponent
    x = np.concatenate([np.linspace(-span, span, 301), [float(b.value) for b in grid.boundaries()]])
    reached = sum((x >= float(boundary.value)).astype(int) for boundary in grid.boundaries())
    assert (grid.low + reached == grid.codes(x)).all()
    assert set(grid.codes(x)) == set(grid.levels)
    assert len(grid.boundaries()) == grid.high - grid.low <= 15


@given(SCALARS, st.booleans())
def test_values_are_sums_of_scaled_signs(scalars, centred):
    grid = grid_scalars(scalars, centred)
    plain = Lsbq(scalars=tuple(n * 2.0**grid.exponent for n in grid.factors))
    x = np.linspace(-4, 4, 101) * max(plain.scalars)
    shift = sum(plain.scalars) if centred else 0.0
    assert (grid.codes(x) * grid.unit == plain.values(x - shift) + shift).all()
    assert grid.low == 0 or not centred


def test_codes_that_jump_are_thresholds_that_occur_twice():
    grid = GridLsbq(factors=(2, 1), exponent=-1)
    assert grid.levels == (-3, -1, 1, 3)
    assert [float(b.value) for b in grid.boundaries()] == [-1, -1, 0, 0, 1, 1]
    bank = integer_bank(grid.boundaries(), np.array([0.25]), np.array([0.0]), low=grid.low)
    assert bank.thresholds.tolist() == [[-4, -4, 0, 0, 4, 4]]
    assert bank.codes(np.array([[-5, -4, -1, 0, 3, 4]])).tolist() == [[-3, -1, -1, 1, 1, 3]]


@pytest.mark.parametrize("centred", [False, True])
def test_the_grid_is_near_the_optimum(centred):
    x = np.random.default_rng(0).standard_normal(20000)
    scalars = ls2(x)
    grid = grid_scalars(scalars, centred)
    found = np.array(grid.factors) * 2.0**grid.exponent
    assert np.abs(found - scalars).max() < 0.13
    plain, near = Lsbq(scalars=scalars), Lsbq(scalars=tuple(found))
    errors = [np.mean((q.values(x) - x) ** 2) for q in (plain, near)]
    assert errors[0] <= errors[1] < 1.1 * errors[0]


def test_levels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="within 15 steps"):
        GridLsbq(factors=(7, 2), exponent=0)
    with pytest.raises(ValueError, match="must be positive"):
        GridLsbq(factors=(2, 0), exponent=0)
