"""QIL as deployed: transformer, discretizer, and both as a bank of comparators."""

import numpy as np
import pytest

from shiftloom.quant.quantizers.qil import Qil

W = np.array([0.25, -0.4, 0.55, 0.7, -0.78])


def test_transformer_and_codes():
    qil = Qil(centre=0.5, distance=0.3, gamma=0.7, bits=3, signed=True)
    expected = [0.175620, -0.463463, 0.685712, 0.880183, -0.976548]
    assert qil.transform(W) == pytest.approx(expected, abs=1e-6)
    assert qil.codes(W).tolist() == [1, -1, 2, 3, -3]


@pytest.mark.parametrize(
    ("bits", "gamma", "expected"),
    [
        (2, 1.0, [0.5]),
        (2, 0.5, [0.35]),
        (2, 2.0, [0.624264]),
        (3, 1.0, [0.3, 0.5, 0.7]),
        (3, 0.5, [0.216667, 0.35, 0.616667]),
        (3, 2.0, [0.444949, 0.624264, 0.747723]),
        (4, 1.0, [0.242857 + 0.0857143 * k for k in range(7)]),
    ],
)
def test_levels_begin_where_listed(bits, gamma, expected):
    qil = Qil(centre=0.5, distance=0.3, gamma=gamma, bits=bits, signed=True)
    assert qil.magnitudes() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_weights_are_a_bank_of_comparators(bits, gamma):
    qil = Qil(centre=0.5, distance=0.3, gamma=gamma, bits=bits, signed=True)
    x = np.linspace(-1.2, 1.2, 240001)
    distance = np.abs(np.abs(x)[:, None] - np.array(qil.magnitudes())).min(axis=1)
    x = x[distance > 1e-12]  # where both roundings of a float tie are right
    reached = np.sum(np.abs(x)[:, None] >= np.array(qil.magnitudes()), axis=1)
    assert x.size > 240001 - 40
    assert (qil.codes(x) == np.sign(x) * reached).all()


def test_ties_go_away_from_zero():
    qil = Qil(centre=0.5, distance=0.5, bits=3, signed=True)
    x = np.array([1, 3, 5]) / 6
    near = Qil(centre=1.0, distance=1.0, bits=2, signed=False)
    assert near.codes(np.array([1.0])).tolist() == [2]  # 1.5 is a tie in floats too
    assert qil.codes(x + 1e-9).tolist() == [1, 2, 3]
    assert qil.codes(x - 1e-9).tolist() == [0, 1, 2]


def test_unit_interval_is_plain_rounding():
    x = np.linspace(-0.5, 1.5, 4001)
    qil = Qil(centre=0.5, distance=0.5, bits=4, signed=False)
    assert (qil.codes(x) == np.floor(np.clip(x, 0, 1) * 15 + 0.5)).all()


def test_zero_may_have_a_code_so_padding_comes_after():
    qil = Qil(centre=0.2, distance=0.5, bits=2, signed=False)
    assert qil.codes(np.zeros(1)).tolist() == [1]
    pruning = Qil(centre=0.6, distance=0.5, bits=2, signed=False)
    assert pruning.codes(np.zeros(1)).tolist() == [0]


def test_values_are_codes_over_levels():
    qil = Qil(centre=0.5, distance=0.3, bits=2, signed=False)
    assert qil.values(np.array([0.0, 0.45, 0.6, 9.0])) == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("centre", [0.2, 0.3, 0.5])
@pytest.mark.parametrize("bits", [2, 4])
def test_signed_activations_are_comparators_too(centre, bits):
    qil = Qil(centre=centre, distance=0.3, bits=bits, signed=True)
    x = np.concatenate([np.linspace(-1, 1, 4001), [0.0]])
    reached = [(x >= b.value) if b.included else (x > b.value) for b in qil.boundaries()]
    assert (qil.low + np.sum(reached, axis=0) == qil.codes(x)).mean() > 0.999  # ties in floats
    assert (qil.codes(x[[-1]]) == qil.low + np.sum(reached, axis=0)[-1]).all()


@pytest.mark.parametrize("fields", [{"distance": 0.0}, {"gamma": -1.0}, {"bits": 9}, {"bits": 1}])
def test_bad_fields_are_refused(fields):
    with pytest.raises(ValueError, match="must be"):
        Qil(**{"centre": 0.5, "distance": 0.3, "bits": 3, "signed": True, **fields})
