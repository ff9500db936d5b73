"""LSBQ's scalars in training, their averages, and what hardware makes of the planes."""

import numpy as np
import pytest

from shiftloom.quant.quantizers import lsbq as deployed
from shiftloom.quant.quantizers import planes

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
lsbq = pytest.importorskip("shiftloom.quant.train.lsbq", reason=REASON)


def sample(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("scheme", deployed.SCHEMES)
@pytest.mark.parametrize("size", [1, 2, 7, 576])
def test_scalars_equal_the_deployed_ones(scheme, size):
    rows = sample(5, size, seed=size)
    rows[0] = 2.0
    rows[1] = 0.0
    expected = deployed.scalars(rows.numpy(), scheme, axis=0)
    assert lsbq.scalars(rows, scheme).numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("scheme", deployed.SCHEMES)
def test_weights_equal_the_deployed_ones_per_channel(scheme):
    weight = sample(4, 3, 3, 3)
    made = lsbq.LsbqWeight(scheme)
    twins = made.deployed(weight)
    found = made(weight).numpy()
    for channel, twin in enumerate(twins):
        expected = twin.values(weight[channel].numpy())
        assert found[channel] == pytest.approx(expected, abs=1e-12)


def test_gradient_of_two_planes():
    x = sample(1, 400) * 1.5
    x.requires_grad_()
    v1, v2 = lsbq.scalars(x.detach(), "ls-2")[0].tolist()
    lsbq.LsbqWeight("ls-2")(x).sum().backward()
    values = x.detach().numpy()
    first = np.abs(values) <= 1
    second = np.abs(values - v1 * np.where(values >= 0, 1, -1)) <= 1
    expected = v1 * first + v2 * second * (1 - v1 * first)
    assert x.grad.numpy() == pytest.approx(expected)


def test_sign_of_zero_is_positive():
    made = lsbq.LsbqWeight("ls-1")
    assert made(torch.tensor([[0.0, 1.0]])).tolist() == [[0.5, 0.5]]


def test_scalars_are_those_of_each_sample_in_training():
    x = sample(6, 2, 5, 5) * torch.arange(1, 7, dtype=torch.float64).view(-1, 1, 1, 1)
    made = lsbq.LsbqActivation("ls-2", average="eval_only").double()
    found = made(x).numpy()
    for index in range(6):
        v = deployed.ls2(x[index].numpy())
        expected = deployed.Lsbq(scalars=v).values(x[index].numpy())
        assert found[index] == pytest.approx(expected)


def test_moving_average_starts_with_the_first_batch():
    made = lsbq.LsbqActivation("ls-1", momentum=0.9).double()
    first, second = sample(4, 10, seed=1), sample(4, 10, seed=2)
    made(first)
    assert made.deployed().scalars[0] == pytest.approx(float(first.abs().mean()))
    made(second)
    expected = 0.9 * float(first.abs().mean()) + 0.1 * float(second.abs().mean())
    assert made.deployed().scalars[0] == pytest.approx(expected)
    made.eval()
    made(sample(4, 10, seed=3) * 100)
    assert made.deployed().scalars[0] == pytest.approx(expected)


@pytest.mark.parametrize("average", ["eval_only", "train_and_eval"])
@pytest.mark.parametrize("terms", [None, 1, 2])
@pytest.mark.parametrize("scheme", ["ls-1", "ls-2", "ls-T", "gf-3"])
def test_evaluation_equals_the_deployed_quantizer(scheme, terms, average):
    made = lsbq.LsbqActivation(scheme, average=average, terms=terms).double()
    for seed in range(3):
        made(sample(8, 50, seed=seed))
    made.eval()
    x = sample(8, 50, seed=9)
    twin = made.deployed()
    assert made(x).numpy() == pytest.approx(twin.values(x.numpy()), abs=1e-12)
    if terms is not None:
        for scalar in twin.scalars:
            parts = planes.powers_of(scalar, terms)
            assert scalar == sum(sign * 2.0**exponent for sign, exponent in parts)


def test_training_with_the_average_uses_it():
    made = lsbq.LsbqActivation("ls-1", average="train_and_eval", momentum=0.5).double()
    made(torch.ones(2, 4, dtype=torch.float64))
    y = made(torch.full((2, 4), 3.0, dtype=torch.float64))
    assert y.tolist() == [[2.0] * 4] * 2


def test_dynamic_scalars_cannot_be_deployed():
    made = lsbq.LsbqActivation("ls-2", average="off")
    made(sample(2, 5).float())
    with pytest.raises(ValueError, match="to be deployed"):
        made.deployed()
    with pytest.raises(ValueError, match="must be one of"):
        lsbq.LsbqActivation(average="never")


def test_sums_of_powers_equal_the_deployed_ones():
    values = torch.rand(500, generator=torch.Generator().manual_seed(4), dtype=torch.float64) * 4
    values[:4] = torch.tensor([0.0, 0.75, 1.5, 2.0**-17])
    for terms in (1, 2, 3):
        expected = planes.signed_powers(values.numpy(), terms)
        assert (lsbq.signed_powers(values, terms).numpy() == expected).all()


def test_training_works_through_constrained_scalars():
    """A layer learns to undo a scale although the scalars are powers of two."""
    made = lsbq.LsbqActivation("ls-2", average="train_and_eval", terms=1)
    gain = torch.nn.Parameter(torch.tensor(1.0))
    x = torch.randn(256, 16, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam([gain], lr=0.02)
    for _ in range(200):
        loss = ((made(gain * x) - 0.6 * x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1
    assert all(np.log2(v) == np.rint(np.log2(v)) for v in made.deployed().scalars)


def test_padded_convolution_is_a_masked_popcount():
    x, weight = sample(1, 8, 5, 5), sample(4, 8, 3, 3, seed=1)
    signs = torch.where(x >= 0, 1.0, -1.0)
    kernel = torch.where(weight >= 0, 1.0, -1.0)
    expected = torch.nn.functional.conv2d(signs, kernel, padding=1)[0]
    padded = torch.nn.functional.pad(signs, (1, 1, 1, 1))
    windows = torch.nn.functional.unfold(padded, 3)[0].T.numpy()
    rows = planes.pack(kernel.flatten(1).numpy())
    mask, words = planes.pack(windows != 0), planes.pack(windows)
    found = np.stack([planes.masked_dot(words, row, mask) for row in rows])
    assert (found.reshape(expected.shape) == expected.numpy()).all()
