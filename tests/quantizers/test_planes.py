"""Sign planes: sums of powers of two, and dot products by masked popcount."""

from itertools import product

import numpy as np
import pytest

from shiftloom.quant.quantizers.planes import (
    integer_scalars,
    masked_dot,
    pack,
    powers_of,
    signed_powers,
)


def test_dot_product_is_a_popcount():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        a, b = rng.choice([-1, 1], (2, rng.integers(1, 200)))
        full = pack(np.ones_like(a))
        assert masked_dot(pack(a), pack(b), full) == a @ b


def test_padded_places_do_not_count():
    rng = np.random.default_rng(1)
    for _ in range(200):
        a, b = rng.choice([-1, 1], (2, 72))
        valid = rng.integers(0, 2, 72)
        assert masked_dot(pack(a), pack(b), pack(valid)) == (a * b) @ valid
        if not valid.all():  # what padding would be taken for without the mask
            unmasked = masked_dot(pack(a * valid), pack(b), pack(np.ones(72)))
            assert unmasked == np.where(valid, a, -1) @ b


def test_planes_of_two_bits_times_signs():
    rng = np.random.default_rng(2)
    full = pack(np.ones(64))
    for _ in range(200):
        planes, weights = rng.choice([-1, 1], (2, 64)), rng.choice([-1, 1], 64)
        v = rng.uniform(0.1, 2, 2)
        dots = [masked_dot(pack(plane), pack(weights), full) for plane in planes]
        assert v @ dots == pytest.approx((v @ planes) @ weights)


@pytest.mark.parametrize("terms", [1, 2, 3])
def test_greedy_terms_reach_the_nearest_sum(terms):
    powers = [0.0, *(s * 2.0**p for p in range(-6, 3) for s in (-1, 1))]
    sums = np.unique([sum(c) for c in product(powers, repeat=terms)])
    for value in np.random.default_rng(terms).uniform(2.0**-6, 4, 300):
        found = signed_powers(np.array([value]), terms, least=-6)[0]
        assert abs(found - value) == pytest.approx(np.abs(sums - value).min(), abs=1e-12)


def test_terms_are_signed_powers():
    assert powers_of(0.97, 2) == ((1, 0), (-1, -5))
    assert powers_of(3.0, 2) == ((1, 2), (-1, 0))
    assert powers_of(0.0, 2, least=-8) == ((1, -8),)
    assert powers_of(0.5, 3) == ((1, -1),)


def test_constrained_scalars_are_integers_of_one_exponent():
    codes, exponent = integer_scalars(np.array([0.75, 0.5]))
    assert (codes.tolist(), exponent) == ([3, 2], -2)
    codes, exponent = integer_scalars(np.array([12.0, 8.0]))
    assert (codes.tolist(), exponent) == ([3, 2], 2)
    values = signed_powers(np.random.default_rng(3).uniform(0.01, 3, (50, 2)), 2)
    for row in values:
        codes, exponent = integer_scalars(row)
        assert (codes * 2.0**exponent == row).all()
    assert integer_scalars(np.zeros(2))[0].tolist() == [0, 0]
    with pytest.raises(ValueError, match="powers of two"):
        integer_scalars(np.array([0.9815988, 0.5288188]))
