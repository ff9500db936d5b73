"""QIL's gradients, its deployed twin, and progressive training."""

import numpy as np
import pytest

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
qil = pytest.importorskip("shiftloom.quant.train.qil", reason=REASON)

W = [0.25, -0.4, 0.55, 0.7, -0.78]


def quantizer(bits, signed, centre=0.5, distance=0.3, gamma=1.0):
    made = qil.QilQuantizer(bits, signed=signed, train_gamma=True).double()
    with torch.no_grad():
        for name, value in (("centre", centre), ("distance", distance), ("gamma", gamma)):
            getattr(made, name).fill_(value)
    return made


def slopes(made, values):
    rows = []
    for value in values:
        x = torch.tensor([value], dtype=torch.float64, requires_grad=True)
        made.zero_grad()
        y = made.transform(x)
        y.sum().backward()
        parameters = (made.gamma, made.centre, made.distance)
        grads = [0.0 if p.grad is None else float(p.grad) for p in parameters]
        rows.append((float(y.detach()), *grads, float(x.grad)))
    return np.array(rows).T


def test_gradients_of_the_transformer():
    found = slopes(quantizer(3, True, gamma=0.7), W)
    expected = [
        (0.175620, -0.463463, 0.685712, 0.880183, -0.976548),
        (-0.436398, 0.509166, -0.369596, -0.160476, 0.033107),
        (-2.458675, 1.622121, -1.371424, -1.232257, 1.178593),
        (2.048896, -0.540707, -0.228571, -0.821504, 1.100020),
        (2.458675, 1.622121, 1.371424, 1.232257, 1.178593),
    ]
    assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_quantized_values_and_straight_through_gradient():
    made = quantizer(3, True, gamma=0.7)
    x = torch.tensor(W, dtype=torch.float64, requires_grad=True)
    y = made(x)
    assert y.detach().numpy() == pytest.approx([1 / 3, -1 / 3, 2 / 3, 1, -1])
    y.sum().backward()
    assert x.grad.numpy() == pytest.approx(slopes(made, W)[-1])


@pytest.mark.parametrize("signed", [True, False])
def test_gradients_equal_difference_quotients(signed):
    gamma = 0.7 if signed else 1.0
    x = torch.tensor([0.25, 0.4, 0.55, 0.7, 0.1, 0.95], dtype=torch.float64)

    def value(inputs, centre, distance, exponent):
        made = quantizer(3, signed)
        for name, given in (("centre", centre), ("distance", distance), ("gamma", exponent)):
            delattr(made, name)
            setattr(made, name, given)
        return made.transform(inputs)

    points = [x, *(torch.tensor(v, dtype=torch.float64) for v in (0.5, 0.3, gamma))]
    assert torch.autograd.gradcheck(value, [p.requires_grad_() for p in points])


def test_gradients_stay_finite_at_the_pruning_threshold():
    made = quantizer(2, True, gamma=0.3)
    x = torch.tensor([0.2, 0.2 + 1e-12, -0.2, 0.0], dtype=torch.float64, requires_grad=True)
    made(x).sum().backward()
    grads = [x.grad, made.centre.grad, made.distance.grad, made.gamma.grad]
    assert all(bool(torch.isfinite(g).all()) for g in grads)


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
@pytest.mark.parametrize(("signed", "gamma"), [(True, 1.0), (True, 0.6), (True, 1.8), (False, 1.0)])
@pytest.mark.parametrize("centre", [0.5, 0.2])
def test_values_equal_the_deployed_ones(bits, signed, gamma, centre):
    made = quantizer(bits, signed, centre=centre, gamma=gamma)
    x = np.random.default_rng(bits).uniform(-1.2, 1.2, 5000)
    assert (made(torch.from_numpy(x)).detach().numpy() == made.deployed().values(x)).all()


def test_initial_interval_reaches_the_largest_value():
    made = qil.QilQuantizer(4, signed=False)
    made.initialise(np.array([0.1, 3.0]))
    assert float(made.deployed().centre + made.deployed().distance) == 3.0


def test_progressive_training_visits_all_but_outer_layers():
    network = torch.nn.Sequential(
        qil.QilQuantizer(8, signed=False),
        qil.QilQuantizer(5, signed=False),
        qil.QilQuantizer(5, signed=True),
    )
    seen = [(width, [m.bits for m in network]) for width in qil.progressive(network)]
    assert seen == [(5, [8, 5, 5]), (4, [8, 4, 4]), (3, [8, 3, 3]), (2, [8, 2, 2])]


def test_training_finds_an_interval_for_the_task():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4000, generator=generator) * 4
    target = (x > 2.2).float()  # one comparator would do
    made = qil.QilQuantizer(1, signed=False)
    made.initialise(x.numpy() / 3)
    optimizer = torch.optim.SGD(made.parameters(), lr=0.2, momentum=0.9)
    first = None
    for _ in range(200):
        loss = ((made(x) - target) ** 2).mean()
        first = float(loss.detach()) if first is None else first
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert made.deployed().magnitudes()[0] == pytest.approx(2.2, abs=0.1)
    assert float(loss.detach()) < first / 5


def test_quantization_comes_before_padding():
    made = quantizer(2, False, centre=0.2, distance=0.5)
    x = torch.rand(1, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    convolved = torch.nn.functional.conv2d(made(x), weight, padding=1).detach()
    codes = np.pad(made.deployed().codes(x.numpy()[0, 0]), 1)  # zeros are codes
    expected = [[codes[r : r + 3, c : c + 3].sum() / 3 for c in range(3)] for r in range(3)]
    assert convolved[0, 0].numpy() == pytest.approx(np.array(expected))
    padded_first = made(torch.nn.functional.pad(x, (1, 1, 1, 1)))
    wrong = torch.nn.functional.conv2d(padded_first, weight).detach()
    assert not torch.allclose(wrong, convolved)
