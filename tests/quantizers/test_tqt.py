"""TQT as deployed: vectors, calibration, errors of known distributions, both integer forms."""

import numpy as np
import pytest

from shiftloom.isa.requantize import Rounding, requantize
from shiftloom.quant.quantizers.tqt import Tqt, initial_log2_t, one_stage_form, two_stage_form
from tests.quantizers.distributions import normal_error


def tqt(log2_t, bits, signed, **fields):
    return Tqt(log2_t=(log2_t,), bits=bits, signed=signed, **fields)


def test_signed_vector():
    x = np.array([-1.3, -1.0, -0.9, -0.375, -0.125, 0.125, 0.375, 0.6, 0.8, 0.875, 1.2])
    expected = [-1, -1, -1, -0.5, 0, 0, 0.5, 0.5, 0.75, 0.75, 0.75]
    assert tqt(0.0, 3, True).values(x).tolist() == expected


def test_unsigned_vector():
    x = np.array([-0.3, 0.0625, 0.1875, 0.9, 0.9375, 1.5])
    assert tqt(0.0, 3, False).values(x).tolist() == [0, 0, 0.25, 0.875, 0.875, 0.875]


@pytest.mark.parametrize("log2_t", [-0.999, -0.5, -1e-9, 0.0])
def test_only_the_octave_matters(log2_t):
    assert tqt(log2_t, 4, True).exponents == (-3,)


def test_average_pools_round_down():
    x = np.array([-0.26, -0.25, 0.24, 0.49])
    assert tqt(0.0, 3, True, rounding=Rounding.FLOOR).codes(x).tolist() == [-2, -1, 0, 1]


def test_channels_have_their_own_thresholds():
    x = np.random.default_rng(3).standard_normal((2, 3, 4, 5))
    whole = Tqt(log2_t=(-1.0, 0.4, 2.0), bits=4, signed=True, axis=1).codes(x)
    for channel, log2_t in enumerate((-1.0, 0.4, 2.0)):
        alone = tqt(log2_t, 4, True).codes(x[:, channel])
        assert (whole[:, channel] == alone).all()


def test_initial_thresholds():
    x = np.random.default_rng(0).standard_normal(10000)
    for method, expected in (("max", 3.899421730), ("3sd", 3.000542475)):
        (found,) = initial_log2_t(x, method, bits=4, signed=True)
        assert 2**found == pytest.approx(expected, rel=1e-9)
    y = np.random.default_rng(0).standard_normal(200000)
    (found,) = initial_log2_t(y, "kl-j", bits=8, signed=True)
    assert found == pytest.approx(1.92493, abs=1e-5)
    rows = np.stack([x, 2 * x])
    a, b = initial_log2_t(rows, "max", bits=4, signed=True, axis=0)
    assert b == pytest.approx(a + 1)
    assert np.isfinite(initial_log2_t(np.zeros(9), "3sd", bits=4, signed=True)).all()


TABLE = {
    2: [(0.296144, -0.109), (0.150200, 0.00254), (0.331948, 0.226), (0.864149, 0.599)],
    3: [(0.206798, -0.121), (0.0476292, -0.0237), (0.0834531, 0.0574), (0.330419, 0.229)],
    4: [(0.174997, -0.120), (0.0224074, -0.0268), (0.0208594, 0.0143), (0.0833333, 0.0578)],
    6: [(0.156099, -0.117), (0.0130017, -0.0249), (0.00131053, 0.00085), (0.00520833, 0.0036)],
    8: [(0.151995, -0.116), (0.0118278, -0.0239), (8.8034e-5, 1.41e-5), (3.2552e-4, 2.26e-4)],
}


def exact_error(quantizer):
    """Return the mean squared error on normal values, rectified for unsigned codes."""
    step = 2.0 ** quantizer.exponents[0]
    return normal_error(step, quantizer.low, quantizer.high, not quantizer.signed)


@pytest.mark.parametrize("bits", TABLE)
def test_error_of_the_normal_distribution(bits):
    for octave, (expected, _) in enumerate(TABLE[bits]):
        assert exact_error(tqt(octave, bits, True)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("bits", TABLE)
def test_gradient_of_the_table_changes_sign_where_training_settles(bits):
    signs = [gradient > 0 for _, gradient in TABLE[bits]]
    assert signs == sorted(signs)
    assert signs.index(True) == (1 if bits == 2 else 2)


@pytest.mark.parametrize(
    ("bits", "octave", "expected"),
    [(2, 1, 0.0319015), (3, 2, 0.0104402), (4, 2, 0.00261327), (8, 2, 1.34932e-5)],
)
def test_best_octave_of_rectified_normal_values(bits, octave, expected):
    errors = [exact_error(tqt(k, bits, False)) for k in range(5)]
    assert int(np.argmin(errors)) == octave
    assert errors[octave] == pytest.approx(expected, rel=2e-5)


def test_error_of_a_normal_sample():
    x = np.random.default_rng(0).standard_normal(10000)
    for octave, expected in ((1, 0.02131098), (2, 0.02109003)):
        error = tqt(octave, 4, True).values(x) - x
        assert np.mean(error**2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("relu", [False, True])
def test_one_stage_form_is_the_quantizer_of_the_sum(relu):
    acc = np.random.default_rng(5).integers(-40000, 40000, (3, 5000))
    steps, output = (-12, -11, -13), tqt(1.3, 8, not relu)
    params = one_stage_form(steps, output, relu=relu)
    values = acc * 2.0 ** np.array(steps)[:, None]
    expected = output.codes(np.maximum(values, 0) if relu else values)
    assert (requantize(acc, params, channel_axis=0) == expected).all()


@pytest.mark.parametrize("relu", [False, True])
def test_two_stage_form_rounds_accumulator_and_bias_first(relu):
    rng = np.random.default_rng(6)
    acc, bias = rng.integers(-3_000_000, 3_000_000, 20000), rng.normal(0, 2, 20000)
    middle, output = tqt(3.7, 16, True), tqt(4.9, 8, not relu)
    params = two_stage_form((-17,), middle, output, relu=relu)
    assert np.ptp(acc * 2.0**-17) > 2 * 2**4  # some accumulators saturate
    total = middle.values(acc * 2.0**-17) + middle.values(bias)
    expected = output.codes(np.maximum(total, 0) if relu else total)
    assert (requantize(acc, params, addend=middle.codes(bias)) == expected).all()
    once = output.codes(np.maximum(acc * 2.0**-17 + bias, 0) if relu else acc * 2.0**-17 + bias)
    assert (once != expected).any()  # rounding twice is not rounding once


@pytest.mark.parametrize(
    "fields", [{"log2_t": ()}, {"log2_t": (np.nan,)}, {"bits": 0}, {"rounding": Rounding.HALF_UP}]
)
def test_bad_fields_are_refused(fields):
    with pytest.raises(ValueError, match="must be"):
        Tqt(**{"log2_t": (0.0,), "bits": 4, "signed": True, **fields})
