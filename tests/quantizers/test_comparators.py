"""A bank of integer comparators equals quantizer after batch norm, for every accumulator."""

import numpy as np
import pytest

from shiftloom.quant.quantizers.comparators import Boundary, fold_batch_norm, integer_bank
from shiftloom.quant.quantizers.lglsq import Lglsq
from shiftloom.quant.quantizers.lsbq import Lsbq
from shiftloom.quant.quantizers.qil import Qil

REACH = (-6000, 6000)
ACC = np.arange(REACH[0], REACH[1] + 1)

QUANTIZERS = {
    **{
        f"qil{bits}": Qil(centre=0.61, distance=0.47, bits=bits, signed=False)
        for bits in range(1, 5)
    },
    "qil-below-zero": Qil(centre=0.2, distance=0.5, bits=3, signed=False),
    **{f"lglsq{bits}u": Lglsq(step=0.1337, bits=bits, signed=False) for bits in (1, 2, 3, 4)},
    **{f"lglsq{bits}s": Lglsq(step=0.2337, bits=bits, signed=True) for bits in (2, 3, 4)},
    "lglsq-narrow": Lglsq(step=0.2337, bits=4, signed=True, narrow=True),
    "ls-1": Lsbq(scalars=(0.79,)),
    "ls-2": Lsbq(scalars=(0.98, 0.53)),
    "ls-T": Lsbq(scalars=(0.61, 0.61), ternary=True),
    "gf-3": Lsbq(scalars=(0.8, 0.48, 0.27)),
    "gf-4": Lsbq(scalars=(0.8, 0.48, 0.27, 0.16)),
}


def batch_norms(channels, seed):
    """Return scale, bias and a batch norm; about half of the slopes are negative, one is zero."""
    rng = np.random.default_rng(seed)
    norm = {
        "mean": rng.normal(0, 1, channels),
        "variance": rng.uniform(0.1, 3, channels),
        "gamma": np.append(rng.normal(0, 0.8, channels - 1), 0.0),
        "beta": rng.normal(0.3, 0.5, channels),
    }
    return rng.uniform(0.0005, 0.004, channels), rng.normal(0, 0.5, channels), norm


@pytest.mark.parametrize("name", QUANTIZERS)
def test_bank_equals_the_float_reference_for_every_accumulator(name):
    quantizer = QUANTIZERS[name]
    scale, bias, norm = batch_norms(24, seed=len(name))
    gain, offset = fold_batch_norm(scale, bias, **norm)
    bank = integer_bank(quantizer.boundaries(), gain, offset, low=quantizer.low, reach=REACH)
    acc = np.broadcast_to(ACC, (24, ACC.size))
    spread = np.sqrt(norm["variance"] + 1e-5)
    normal = ((acc.T * scale + bias) - norm["mean"]) / spread * norm["gamma"] + norm["beta"]
    assert (bank.codes(acc) == quantizer.codes(normal.T)).all()
    assert bank.flipped.any() and not bank.flipped.all()
    assert (np.diff(bank.thresholds, axis=1) >= 0).all()
    assert len(np.unique(bank.codes(acc))) == len(quantizer.boundaries()) + 1


def test_ties_are_those_of_the_quantizer():
    quantizer = Lglsq(step=0.5, bits=3, signed=True)
    bank = integer_bank(quantizer.boundaries(), 0.125, 0.0, low=quantizer.low, reach=REACH)
    turned = integer_bank(quantizer.boundaries(), -0.125, 0.25, low=quantizer.low, reach=REACH)
    assert (bank.codes(ACC[None]) == quantizer.codes(ACC * 0.125)).all()
    assert (turned.codes(ACC[None]) == quantizer.codes(ACC * -0.125 + 0.25)).all()
    tie = Lsbq(scalars=(1.0, 0.5))
    planes = integer_bank(tie.boundaries(), -0.25, 0.0, low=0, reach=REACH)
    assert (planes.codes(ACC[None]) == tie.codes(ACC * -0.25)).all()


def test_flipped_channels_are_layers_with_negated_weights():
    rng = np.random.default_rng(9)
    weights, x = rng.integers(-7, 8, (16, 40)), rng.integers(0, 4, (40, 500))
    quantizer = Qil(centre=0.5, distance=0.5, bits=2, signed=False)
    gain, offset = rng.normal(0, 0.02, 16), rng.normal(0.5, 0.1, 16)
    bank = integer_bank(quantizer.boundaries(), gain, offset, low=0)
    negated = np.where(bank.flipped[:, None], -weights, weights) @ x
    plain = np.sum(negated[..., None] >= bank.thresholds[:, None, :], axis=-1)
    assert (plain == bank.codes(weights @ x)).all()
    assert (plain == quantizer.codes((weights @ x) * gain[:, None] + offset[:, None])).all()


def test_comparators_that_never_change_stay_next_to_the_reach():
    bank = integer_bank([Boundary(0.5), Boundary(1.5)], np.zeros(2), np.array([1.0, 2.0]), low=0)
    assert bank.codes(np.zeros((2, 1), np.int64)).tolist() == [[1], [2]]
    far = integer_bank([Boundary(-1e30), Boundary(1e30)], 1.0, 0.0, low=0, reach=(-10, 20))
    assert far.thresholds.tolist() == [[-10, 21]]
    turned = integer_bank([Boundary(-1e30), Boundary(1e30)], -1.0, 0.0, low=0, reach=(-10, 20))
    assert turned.thresholds.tolist() == [[-20, 11]]


def test_default_reach_fits_32_bits():
    bank = integer_bank([Boundary(-1e30), Boundary(1e30)], np.array([1.0, -1.0]), 0.0, low=0)
    assert bank.thresholds.min() >= -(1 << 31)
    assert bank.thresholds.max() < 1 << 31


@pytest.mark.parametrize(
    ("boundaries", "gain"),
    [
        ([], 1.0),
        ([Boundary(0.0)] * 16, 1.0),
        ([Boundary(1.0), Boundary(0.0)], 1.0),
        ([Boundary(0.0)], np.nan),
    ],
)
def test_bad_banks_are_refused(boundaries, gain):
    with pytest.raises(ValueError, match="must be"):
        integer_bank(boundaries, gain, 0.0, low=0)
