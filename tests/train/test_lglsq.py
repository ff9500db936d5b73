"""LG-LSQ's parts, each on its own."""

import numpy as np
import pytest

from shiftloom.quant.quantizers.lglsq import arctan_slope

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
lglsq = pytest.importorskip("shiftloom.quant.train.lglsq", reason=REASON)


def quantizer(step=0.6, bits=3, signed=True, **fields):
    made = lglsq.LglsqQuantizer(bits, signed=signed, **fields).double()
    with torch.no_grad():
        made.step.fill_(step)
    return made


def sample(size=2000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=generator, dtype=torch.float64)


def gradients(made, x, weight=None):
    """Return the gradients of the input and of the step, for given output gradients."""
    made.zero_grad()
    x = x.clone().requires_grad_()
    made(x).backward(torch.ones_like(x) if weight is None else weight)
    return x.grad, float(made.step.grad)


def test_gradient_of_lsq():
    x = sample()
    made = quantizer(step_gradient="lsq")
    weight = sample(seed=1)
    by_x, by_step = gradients(made, x, weight)
    place, codes = (x / 0.6).numpy(), made.deployed().codes(x.numpy())
    slope = np.where((place >= -4) & (place <= 3), codes - place, codes)
    expected = (slope * weight.numpy()).sum() / np.sqrt(x.numel() * 3)
    assert by_step == pytest.approx(expected, rel=1e-12)
    inside = (place >= -4) & (place <= 3)
    assert by_x.numpy() == pytest.approx(np.where(inside, weight.numpy(), 0), rel=1e-12)


@pytest.mark.parametrize(("step", "direction"), [(0.1, 1), (0.6, 0), (3.0, -1)])
def test_simulated_gradient_follows_the_probe_and_not_the_loss(step, direction):
    x = sample()
    for weight in (torch.ones_like(x), -torch.ones_like(x)):
        probed = quantizer(step=step, step_gradient="probe")
        assert gradients(probed, x, weight)[1] == pytest.approx(-direction * step**2)
        relative = quantizer(step=step, step_gradient="relative")
        assert gradients(relative, x, weight)[1] == pytest.approx(-direction * step)


@pytest.mark.parametrize(("choice", "lr"), [("probe", 0.2), ("relative", 0.05)])
@pytest.mark.parametrize("start", [0.02, 9.0])
def test_steps_settle_in_the_keep_interval(choice, lr, start):
    made = quantizer(step=start, step_gradient=choice)
    optimizer = torch.optim.SGD(
        made.parameters(), lr=lr if start < 1 or choice != "probe" else 0.05
    )
    x = sample(4096)
    for _ in range(400):
        optimizer.zero_grad()
        made(x).sum().backward()
        optimizer.step()
    assert 0.436 * 0.93 < float(made.step.detach()) < 0.863 * 1.07


@pytest.mark.parametrize("k", [1.0, 5.0, 20.0])
def test_arctangent_round_shapes_the_gradient(k):
    x = torch.linspace(-1.7, 1.3, 400, dtype=torch.float64)
    made = quantizer(sharpness=k, clips=True)
    by_x, _ = gradients(made, x)
    assert by_x.numpy() == pytest.approx(arctan_slope(x.numpy() / 0.6, k), rel=1e-9)
    assert float(by_x.min()) > 0


def test_soft_arctangent_round_is_straight_through():
    x = sample()
    soft, _ = gradients(quantizer(sharpness=1e-4), x)
    plain, _ = gradients(quantizer(), x)
    assert soft.numpy() == pytest.approx(plain.numpy(), abs=1e-7)


def test_discretization_error_modulates_gradients():
    x = torch.tensor([0.6 * 1.3, 0.6 * 0.8], dtype=torch.float64)
    weight = torch.tensor([2.0, -3.0], dtype=torch.float64)
    by_x, _ = gradients(quantizer(delta=0.5), x, weight)
    assert by_x.numpy() == pytest.approx([2 * (1 + 0.5 * 0.3), -3 * (1 + 0.5 * 0.2)])


def test_clipped_weights_keep_their_gradient():
    x = torch.tensor([9.0, -9.0, 0.1], dtype=torch.float64)
    assert gradients(quantizer(clips=True), x)[0].tolist() == [0, 0, 1]
    assert gradients(quantizer(clips=False), x)[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("choice", ["probe", "relative", "lsq"])
@pytest.mark.parametrize("sharpness", [None, 5.0])
@pytest.mark.parametrize(
    ("bits", "signed", "narrow"), [(3, True, False), (4, False, False), (2, True, True)]
)
def test_values_equal_the_deployed_ones_whatever_the_parts(choice, sharpness, bits, signed, narrow):
    made = quantizer(
        step=0.25,
        bits=bits,
        signed=signed,
        narrow=narrow,
        step_gradient=choice,
        sharpness=sharpness,
    )
    x = sample()
    x[:500] = torch.round(x[:500] * 8) / 8  # ties
    assert (made(x).detach().numpy() == made.deployed().values(x.numpy())).all()


def test_evaluation_does_not_probe():
    made = quantizer(step=0.1).eval()
    _, by_step = gradients(made, torch.tensor([0.05], dtype=torch.float64))
    assert by_step != pytest.approx(-0.01)


def test_initial_steps():
    made = lglsq.LglsqQuantizer(4, signed=True)
    made.initialise(np.array([0.5, -2.0]))
    assert float(made.step.detach()) == 0.25
    made.initialise(np.zeros(4))
    assert float(made.step.detach()) > 0


def test_unknown_parts_are_refused():
    with pytest.raises(ValueError, match="must be one of"):
        lglsq.LglsqQuantizer(4, signed=True, step_gradient="ssg")
