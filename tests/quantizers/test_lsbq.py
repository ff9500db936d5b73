"""LSBQ as deployed: optimal scalars against brute force, and constants of distributions."""

from itertools import product
from math import e, pi, sqrt

import numpy as np
import pytest

from shiftloom.quant.quantizers.lsbq import Lsbq, gf, ls1, ls2, ls_t, scalars
from tests.quantizers.distributions import normal_quantiles


def squared_error(x, v):
    return float(np.sum((x - Lsbq(scalars=v).values(x)) ** 2))


def mean_error(x, v):
    return squared_error(x, v) / x.size


def vectors(count, longest=40):
    rng = np.random.default_rng(11)
    for _ in range(count):
        x = rng.standard_normal(rng.integers(2, longest)) * rng.uniform(0.1, 4)
        yield x**3 if rng.random() < 0.3 else x


def two_levels(a, split):
    """Return the squared error of a split of sorted magnitudes into two means."""
    parts = (a[:split], a[split:])
    return sum(float(np.sum((part - part.mean()) ** 2)) for part in parts if part.size)


def test_two_planes_equal_brute_force_over_all_splits():
    for x in vectors(300):
        a = np.sort(np.abs(x))
        best = min(two_levels(a, split) for split in range(1, a.size))
        assert squared_error(x, ls2(x)) == pytest.approx(best, abs=1e-12 * max(1, best))


def test_ternary_equals_brute_force_over_all_splits():
    for x in vectors(300):
        a = np.sort(np.abs(x))
        tails = [a[split:] for split in range(a.size)]
        best = min(float(a @ a - tail.sum() ** 2 / tail.size) for tail in tails)
        assert squared_error(x, ls_t(x)) == pytest.approx(best, abs=1e-11 * max(1, best))


@pytest.mark.parametrize("seed", range(3))
def test_two_planes_equal_least_squares_over_all_signs(seed):
    x = np.random.default_rng(seed).standard_normal(5)
    best = np.inf
    for first in product((-1.0, 1.0), repeat=5):
        for second in product((-1.0, 1.0), repeat=5):
            basis = np.array([first, second]).T
            fit = np.linalg.lstsq(basis, x, rcond=None)[0]
            best = min(best, float(np.sum((x - basis @ fit) ** 2)))
    assert squared_error(x, ls2(x)) == pytest.approx(best, abs=1e-12)


def test_errors_are_ordered():
    for x in vectors(200):
        one, two, ternary, greedy = (mean_error(x, v) for v in (ls1(x), ls2(x), ls_t(x), gf(x, 2)))
        slack = 1e-12 * max(1, one)
        assert two <= greedy + slack
        assert greedy <= one + slack
        assert two <= ternary + slack
        assert ternary <= one + slack


def test_error_of_one_plane():
    for x in vectors(50):
        expected = np.mean(x * x) - np.mean(np.abs(x)) ** 2
        assert mean_error(x, ls1(x)) == pytest.approx(expected, abs=1e-12)


def test_hand_examples():
    x = np.array([-3, -1, 0.5, 2])
    assert ls2(x) == pytest.approx((1.625, 0.875))
    assert Lsbq(scalars=ls2(x)).values(x).tolist() == [-2.5, -0.75, 0.75, 2.5]
    assert squared_error(x, ls2(x)) == pytest.approx(0.625)
    assert ls2(np.array([1.0, 2, 3, 4])) == pytest.approx((2.5, 1))
    y = np.array([0.1, -0.2, 0.3, -0.9, 1.1, -1])
    assert ls1(y) == pytest.approx((0.6,))
    assert squared_error(y, ls1(y)) == pytest.approx(1.0)
    assert gf(y, 2) == pytest.approx((0.6, 0.4))
    assert ls2(y) == pytest.approx((0.6, 0.4))
    assert squared_error(y, ls2(y)) == pytest.approx(0.04)
    assert ls_t(y) == pytest.approx((0.5, 0.5))
    assert squared_error(y, ls_t(y)) == pytest.approx(0.16)


def test_vectors_of_one_value():
    equal = np.full(7, 2.0)
    assert ls_t(equal) == (1.0, 1.0)
    assert Lsbq(scalars=(1.0, 1.0), ternary=True).values(equal).tolist() == [2.0] * 7
    assert ls2(np.array([-3.0])) == (3.0, 0.0)
    assert ls2(equal) == pytest.approx((2.0, 0.0))
    assert ls2(np.zeros(4)) == ls_t(np.zeros(4)) == (0.0, 0.0)


PLACES = (np.arange(200000) + 0.5) / 200000
DISTRIBUTIONS = {
    "normal": normal_quantiles(PLACES),
    "laplace": np.where(PLACES < 0.5, np.log(2 * PLACES), -np.log(2 - 2 * PLACES)),
    "uniform": 2 * PLACES - 1,
}
CONSTANTS = {
    "normal": {
        "ls-1": ((sqrt(2 / pi),), 1 - 2 / pi),
        "ls-2": ((0.9815988, 0.5288188), 0.1174818),
        "ls-T": ((0.6120032, 0.6120032), 0.1901740),
        "gf-2": ((sqrt(2 / pi), 0.4826242), 0.1304541),
        "gf-3": ((sqrt(2 / pi), 0.4826242, 0.2684409), 0.0583936),
        "gf-4": ((sqrt(2 / pi), 0.4826242, 0.2684409, 0.1596747), 0.0328977),
    },
    "laplace": {
        "ls-1": ((1,), 1),
        "ls-2": ((1.5936243, 1), 0.3523898),
        "ls-T": ((1, 1), 0.5284822),
        "gf-2": ((1, 2 / e), 0.4586589),
        "gf-3": (None, 0.2851102),
        "gf-4": (None, 0.1902401),
    },
    "uniform": {
        "ls-1": ((0.5,), 1 / 12),
        "ls-2": ((0.5, 0.25), 1 / 48),
        "ls-T": ((1 / 3, 1 / 3), 1 / 27),
        "gf-2": ((0.5, 0.25), 1 / 48),
        "gf-3": ((0.5, 0.25, 0.125), 1 / 192),
        "gf-4": ((0.5, 0.25, 0.125, 0.0625), 1 / 768),
    },
}


@pytest.mark.parametrize("scheme", CONSTANTS["normal"])
@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_of_distributions(name, scheme):
    x = DISTRIBUTIONS[name]
    expected, error = CONSTANTS[name][scheme]
    found = tuple(scalars(x, scheme).tolist())
    if expected is not None:
        assert found == pytest.approx(expected, rel=3e-4)
    assert mean_error(x, found) == pytest.approx(error, rel=1e-3)


def test_normal_sample():
    x = np.random.default_rng(0).standard_normal(4096)
    expected = {
        "ls-1": ((0.801743708,), 0.352584808),
        "ls-2": ((0.971683803, 0.517912670), 0.113230911),
        "ls-T": ((0.606652246, 0.606652246), 0.188162425),
        "gf-2": ((0.801743708, 0.476027578), 0.125982553),
        "gf-3": ((0.801743708, 0.476027578, 0.264760283), 0.0558845450),
        "gf-4": ((0.801743708, 0.476027578, 0.264760283, 0.157717999), 0.0310095780),
    }
    for scheme, (v, error) in expected.items():
        found = tuple(scalars(x, scheme).tolist())
        assert found == pytest.approx(v, abs=1e-9)
        assert mean_error(x, found) == pytest.approx(error, rel=1e-8)


def test_skipping_elements_costs_a_little():
    x = np.random.default_rng(2).standard_normal(576)
    ratio = mean_error(x, ls2(x, skip=3)) / mean_error(x, ls2(x))
    assert 1 <= ratio < 1.05


def test_tie_at_the_boundary_is_outer_above_and_inner_below():
    quantizer = Lsbq(scalars=(1.0, 0.5))
    assert quantizer.values(np.array([1.0, -1.0, 0.0, -0.0])).tolist() == [1.5, -0.5, 0.5, 0.5]


def test_scalars_per_channel():
    x = np.random.default_rng(4).standard_normal((3, 8, 2))
    found = scalars(x, "ls-2", axis=0)
    assert found.shape == (3, 2)
    assert tuple(found[1]) == ls2(x[1])


def test_codes_never_fall_even_if_scalars_are_not_sorted():
    x = np.linspace(-8, 8, 20001)
    for v in ((2.5, 3.75), (1.0, 0.9, 0.9), (1.0, 0.6, 0.5, 0.4), (2.0, 1.0, 0.5, 0.25)):
        quantizer = Lsbq(scalars=v)
        reached = sum((x >= b.value).astype(int) for b in quantizer.boundaries())
        assert (quantizer.codes(x) == reached).all()
        assert (np.diff(reached) >= 0).all()


def test_bad_scalars_are_refused():
    with pytest.raises(ValueError, match="negative"):
        Lsbq(scalars=(1.0, -0.1))
    with pytest.raises(ValueError, match="equal"):
        Lsbq(scalars=(1.0, 0.5), ternary=True)
    with pytest.raises(ValueError, match="must be one of"):
        scalars(np.ones(3), "ls-9")
