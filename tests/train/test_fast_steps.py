"""What makes a training step fast changes no value, and no gradient but where that is said."""

import numpy as np
import pytest

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
gradients = pytest.importorskip("shiftloom.quant.train.gradients", reason=REASON)
lsbq_codes = pytest.importorskip("shiftloom.quant.train.lsbq_codes", reason=REASON)
norm = pytest.importorskip("shiftloom.quant.train.norm", reason=REASON)
tqt = pytest.importorskip("shiftloom.quant.train.tqt", reason=REASON)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("bits", [1, 2])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_codes_are_those_of_the_deployed_quantizer(bits, signed, dtype):
    made = lsbq_codes.LsbqActivationCodes(bits, signed=signed)
    x = normal(6, 4, 5, 5, dtype=torch.float32) * 0.3
    x = (x if signed else x.relu()).to(dtype)
    made.initialise(x.float().numpy())
    codes = made.coded(x).codes
    assert codes.dtype == dtype
    assert (codes.double().numpy() == made.deployed().codes(x.double().numpy())).all()
    assert len(codes.unique()) == 1 << bits


@pytest.mark.parametrize("signed", [False, True])
def test_values_pass_gradients_within_the_clamp(signed):
    made = lsbq_codes.LsbqActivationCodes(2, signed=signed, clamp=0.0).eval()
    made.initialise((normal(500) if signed else normal(500).abs()).numpy())
    levels = np.array(made.deployed().levels) * made.deployed().unit
    x = torch.linspace(-5, 5, 801, dtype=torch.float64, requires_grad=True)
    made.coded(x).values().sum().backward()
    inside = (x.detach().numpy() > levels[0]) & (x.detach().numpy() < levels[-1])
    assert 0 < inside.sum() < len(inside)
    assert x.grad.numpy() == pytest.approx(inside.astype(float))


def test_scalars_of_strided_maps_are_those_of_all_channels():
    """Channels of different size, last in memory: a sample of them must not be of one alone."""
    x = normal(64, 16, 16, 16, dtype=torch.float32) * torch.logspace(-1, 1, 16).view(-1, 1, 1)
    found = lsbq_codes._sampled(x.contiguous(memory_format=torch.channels_last))
    assert len(found) <= lsbq_codes.SAMPLED
    assert float(found.abs().mean()) == pytest.approx(float(x.abs().mean()), rel=0.05)


def test_batches_are_normalized_in_units_of_the_sum():
    made = norm.Norm(np.float32([0.5, -2.0]), np.float32([1.0, 3.0]), momentum=1.0).double()
    sums, unit = torch.round(normal(7, 2, 4, 4) * 20), torch.tensor([0.25, 0.5]).double()
    ratio = torch.tensor([1.0, 0.75]).double()
    total = made.of_batch(sums, unit, ratio)
    values = sums * unit.view(-1, 1, 1)
    mean, deviation = values.mean((0, 2, 3)), values.var((0, 2, 3), correction=0).sqrt()
    gain = torch.tensor([0.5, -2.0]) * ratio / deviation
    shift = torch.tensor([1.0, 3.0]) - mean * gain
    expected = values * gain.view(-1, 1, 1) + shift.view(-1, 1, 1)
    assert total.detach().numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-5)
    assert made.mean.numpy() == pytest.approx(mean.numpy())
    assert made.variance.numpy() == pytest.approx(deviation.numpy() ** 2, rel=1e-4)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("moving", [False, True])
def test_a_threshold_that_is_frozen_passes_the_gradients_of_one_that_moves(signed, moving):
    made = tqt.TqtQuantizer(3, signed=signed).double()
    made.log2_t.requires_grad_(moving)
    x = torch.linspace(-3, 3, 97, dtype=torch.float64, requires_grad=True)
    y = made(x)
    (y * torch.arange(1, 98)).sum().backward()
    step = float(made.scale())
    codes, low, high = np.rint(x.detach().numpy() / step), made.form.low, made.form.high
    assert y.tolist() == (np.clip(codes, low, high) * step).tolist()
    assert x.grad.tolist() == (((codes >= low) & (codes <= high)) * np.arange(1, 98)).tolist()


def test_rounded_codes_pass_gradients_everywhere():
    x = torch.linspace(-3, 3, 25, dtype=torch.float64, requires_grad=True)
    codes = gradients.rounded_codes(x, torch.tensor(0.5, dtype=torch.float64), -4, 3)
    assert codes.tolist() == np.clip(np.rint(x.detach().numpy() / 0.5), -4, 3).tolist()
    codes.sum().backward()
    assert x.grad.tolist() == [2.0] * 25
