"""TQT's gradients and the thresholds that training finds."""

import numpy as np
import pytest

from shiftloom.isa.requantize import Rounding

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
tqt = pytest.importorskip("shiftloom.quant.train.tqt", reason=REASON)


def quantizer(log2_t, bits, signed, **fields):
    made = tqt.TqtQuantizer(bits, signed=signed, **fields).double()
    with torch.no_grad():
        made.log2_t.fill_(log2_t)
    return made


def slopes(made, values):
    """Return q, dq/dx and dq/dlog2t of each value on its own."""
    rows = []
    for value in values:
        x = torch.tensor([value], dtype=torch.float64, requires_grad=True)
        made.zero_grad()
        q = made(x)
        q.sum().backward()
        rows.append((float(q.detach()), float(x.grad), float(made.log2_t.grad)))
    return np.array(rows).T


def test_signed_vector():
    x = [-1.3, -1.0, -0.9, -0.375, -0.125, 0.125, 0.375, 0.6, 0.8, 0.875, 1.2]
    q, by_x, by_threshold = slopes(quantizer(0.0, 3, True), x)
    assert q.tolist() == [-1, -1, -1, -0.5, 0, 0, 0.5, 0.5, 0.75, 0.75, 0.75]
    assert by_x.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    expected = [-0.693147, 0, -0.069315, -0.086643, 0.086643, -0.086643, 0.086643]
    expected += [-0.069315, -0.034657, 0.519860, 0.519860]
    assert by_threshold == pytest.approx(expected, abs=1e-6)


def test_unsigned_vector():
    x = [-0.3, 0.0625, 0.1875, 0.9, 0.9375, 1.5]
    q, _, by_threshold = slopes(quantizer(0.0, 3, False), x)
    assert q.tolist() == [0, 0, 0.25, 0.875, 0.875, 0.875]
    expected = [0, -0.043322, 0.043322, -0.017329, 0.606504, 0.606504]
    assert by_threshold == pytest.approx(expected, abs=1e-6)


def test_threshold_gradient_is_the_difference_quotient_with_roundings_held():
    x = np.random.default_rng(1).uniform(-1.5, 1.5, 200)
    made = quantizer(0.0, 4, True)
    codes = made.deployed().codes(x)
    inside = np.abs(np.rint(x * 8) + 0.5) < 8.4
    held = np.where(inside, np.rint(x * 8) - x * 8, 0.0)

    def surrogate(log2_t):
        scale = 2.0 ** (log2_t - 3)
        return np.where(inside, x + scale * held, scale * codes)

    quotient = (surrogate(1e-6) - surrogate(-1e-6)) / 2e-6
    assert slopes(made, x)[2] == pytest.approx(quotient, abs=1e-7)


@pytest.mark.parametrize("log2_t", [-0.999, -0.5, -1e-6])
def test_forward_and_gradient_are_constant_within_an_octave(log2_t):
    x = np.linspace(-1.5, 1.5, 61)
    assert (slopes(quantizer(log2_t, 4, True), x) == slopes(quantizer(0.0, 4, True), x)).all()


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("rounding", [Rounding.HALF_EVEN, Rounding.FLOOR])
def test_values_equal_the_deployed_ones(kind, rounding):
    x = np.random.default_rng(2).standard_normal((4, 3, 5)).astype(kind)
    x[0] = np.round(x[0] * 16) / 16  # ties
    made = tqt.TqtQuantizer(4, signed=True, channels=3, axis=1, rounding=rounding)
    made = made.to(getattr(torch, kind))
    made.initialise(x, "3sd")
    with torch.no_grad():
        made.log2_t += torch.tensor([-1.7, 0.3, 1.9])
        found = made(torch.from_numpy(x)).numpy()
    assert len(set(made.deployed().exponents)) == 3
    assert (found == made.deployed().values(x)).all()


def test_gradients_sum_over_what_shares_a_threshold():
    x = torch.tensor([[0.1, 0.9], [5.0, -5.0]], dtype=torch.float64)
    whole, rows = quantizer(0.0, 3, True), quantizer(0.0, 3, True, channels=2)
    whole(x).sum().backward()
    rows(x).sum().backward()
    assert rows.log2_t.grad.shape == (2,)
    assert float(rows.log2_t.grad.sum()) == pytest.approx(float(whole.log2_t.grad))
    expected = slopes(quantizer(0.0, 3, True), [0.1, 0.9])[2].sum()
    assert float(rows.log2_t.grad[0]) == pytest.approx(expected)


TABLE = {
    2: [-0.109, 0.00254, 0.226, 0.599],
    3: [-0.121, -0.0237, 0.0574, 0.229],
    4: [-0.120, -0.0268, 0.0143, 0.0578],
    6: [-0.117, -0.0249, 0.00085, 0.0036],
    8: [-0.116, -0.0239, 1.41e-5, 2.26e-4],
}


def gradient_of_error(bits, octave, x, weight):
    made = quantizer(float(octave), bits, True)
    x = torch.from_numpy(x)
    (0.5 * (torch.from_numpy(weight) * (made(x) - x) ** 2).sum()).backward()
    return float(made.log2_t.grad)


@pytest.mark.parametrize("bits", TABLE)
def test_gradient_of_the_error_of_normal_values(bits):
    x = np.linspace(-7, 7, 140001)
    weight = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    for octave, expected in enumerate(TABLE[bits]):
        found = gradient_of_error(bits, octave, x, weight)
        assert found == pytest.approx(expected, rel=0.008)


def test_gradient_of_the_error_of_a_sample():
    x = np.random.default_rng(0).standard_normal(10000)
    weight = np.full(10000, 1e-4)
    assert gradient_of_error(4, 1, x, weight) == pytest.approx(-0.02674691, abs=1e-8)
    assert gradient_of_error(4, 2, x, weight) == pytest.approx(0.01461850, abs=1e-8)


#: Deviations of normal data, and where log2 t starts, in deviations.
CASES = [(d, start) for d in (1.0, 0.01, 100.0) for start in (0.3, 30.0)]


def settled(bits, steps=4000):
    """Return where Adam takes log2 t in each case, on average over the last quarter."""
    deviations = torch.tensor([[d] for d, _ in CASES], dtype=torch.float64)
    made = quantizer(0.0, bits, True, channels=len(CASES))
    with torch.no_grad():
        made.log2_t.copy_(torch.tensor([np.log2(d * start) for d, start in CASES]))
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    generator, path = torch.Generator().manual_seed(bits), []
    for _ in range(steps):
        x = torch.randn(len(CASES), 1000, generator=generator, dtype=torch.float64) * deviations
        optimizer.zero_grad()
        (0.5 * ((made(x) - x) ** 2).mean(dim=1)).sum().backward()
        optimizer.step()
        path.append(made.log2_t.detach().clone())
    return torch.stack(path[-steps // 4 :]).mean(dim=0).tolist()


@pytest.mark.parametrize(
    ("bits", "expected", "within"),
    [
        (3, [1, 1, -6, -6, 7, 7], 0.05),
        (4, [1, 1, -6, -6, 8, 8], 0.05),
        (8, [1, 1, -5, -5, 8, 8], 0.3),  # balance hangs on rare values beyond 4 deviations
    ],
)
def test_thresholds_settle_between_octaves_whatever_the_scale_and_the_start(bits, expected, within):
    assert settled(bits) == pytest.approx(expected, abs=within)


def test_thresholds_balance_range_and_precision_where_clipping_only_grows_them():
    x = torch.tensor([0.1, 0.3, -0.2], dtype=torch.float64)
    made = quantizer(2.0, 3, True)
    (0.5 * ((made(x) - x) ** 2).sum()).backward()
    assert float(made.log2_t.grad) > 0  # nothing is clipped, and yet it shrinks
