"""Layers trained by QIL, LG-LSQ and LSBQ run on integers and comparators alone, exactly."""

import numpy as np
import pytest

from shiftloom.quant.quantizers import planes
from shiftloom.quant.quantizers.comparators import fold_batch_norm, integer_bank

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
qil = pytest.importorskip("shiftloom.quant.train.qil", reason=REASON)
lglsq = pytest.importorskip("shiftloom.quant.train.lglsq", reason=REASON)
lsbq = pytest.importorskip("shiftloom.quant.train.lsbq", reason=REASON)

INPUTS, OUTPUTS = 6, 16


class Block(torch.nn.Module):
    """Quantize the input, convolve with quantized weights, normalize, quantize."""

    def __init__(self, weights, before, after):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.weight = torch.nn.Parameter(
            torch.randn(OUTPUTS, INPUTS, 3, 3, generator=generator) * 0.4
        )
        self.norm = torch.nn.BatchNorm2d(OUTPUTS)
        with torch.no_grad():  # about half of the slopes are negative
            self.norm.weight.copy_(torch.randn(OUTPUTS, generator=generator))
            self.norm.bias.copy_(torch.rand(OUTPUTS, generator=generator))
        self.weights, self.before, self.after = weights, before, after

    def forward(self, x):
        sums = torch.nn.functional.conv2d(self.before(x), self.weights(self.weight), padding=1)
        return self.after(self.norm(sums))


def trained(block, x):
    """Return a block after some steps towards an arbitrary target, in float64."""
    generator = torch.Generator().manual_seed(6)
    target = torch.rand(len(x), OUTPUTS, *x.shape[2:], generator=generator)
    optimizer = torch.optim.SGD([p for p in block.parameters() if p.requires_grad], lr=0.01)
    for _ in range(12):
        optimizer.zero_grad()
        ((block(x) - target) ** 2).mean().backward()
        optimizer.step()
    return block.double().eval()


def batch():
    return torch.rand(16, INPUTS, 6, 6, generator=torch.Generator().manual_seed(7)) * 1.5 - 0.2


def convolved(codes, weights):
    """Return exact integer accumulators, ``(batch, channels, height, width)``."""
    sums = torch.nn.functional.conv2d(
        torch.from_numpy(codes).double(), torch.from_numpy(weights).double(), padding=1
    )
    return sums.numpy().astype(np.int64)


def integer_codes(block, acc, unit):
    """Return the output codes of comparators on accumulators whose unit is worth so much."""
    norm = block.norm
    mean, variance, gamma, beta = (
        t.detach().numpy() for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    gain, offset = fold_batch_norm(
        np.broadcast_to(unit, OUTPUTS),
        np.zeros(OUTPUTS),
        mean=mean,
        variance=variance,
        gamma=gamma,
        beta=beta,
        epsilon=norm.eps,
    )
    twin = block.after.deployed()
    reach = (int(acc.min()), int(acc.max()))
    bank = integer_bank(twin.boundaries(), gain, offset, low=twin.low, reach=reach)
    assert bank.flipped.any() and not bank.flipped.all()
    return bank.codes(acc, axis=1)


def reference_codes(block, x):
    """Return the output codes of the network that was trained."""
    kept = []
    block.norm.register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        values = block(x)
    codes = block.after.deployed().codes(kept[0].numpy())
    assert block.after.deployed().values(kept[0].numpy()) == pytest.approx(values.numpy())
    return codes


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_qil_layer(bits):
    before, after = (qil.QilQuantizer(bits, signed=False) for _ in range(2))
    weights = qil.QilQuantizer(bits, signed=True, train_gamma=bits == 2)
    x = batch()
    block = trained(Block(weights, before, after), x)
    twins = before.deployed(), weights.deployed()
    acc = convolved(
        twins[0].codes(x.double().numpy()), twins[1].codes(block.weight.detach().numpy())
    )
    found = integer_codes(block, acc, 1 / (twins[0].levels * twins[1].levels))
    assert (found == reference_codes(block, x.double())).all()
    assert len(np.unique(found)) == 2**bits


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("choice", ["probe", "lsq"])
def test_lglsq_layer(bits, choice):
    x = batch()
    before, after = (
        lglsq.LglsqQuantizer(bits, signed=False, step_gradient=choice, sharpness=3.0)
        for _ in range(2)
    )
    weights = lglsq.LglsqQuantizer(bits, signed=True, step_gradient=choice, clips=False)
    before.initialise(x.numpy())
    weights.initialise(np.random.default_rng(0).normal(0, 0.4, 999), "lsq")
    after.initialise(np.random.default_rng(0).normal(0, 0.4, 999), "lsq")
    block = trained(Block(weights, before, after), x)
    twins = before.deployed(), weights.deployed()
    acc = convolved(
        twins[0].codes(x.double().numpy()), twins[1].codes(block.weight.detach().numpy())
    )
    found = integer_codes(block, acc, twins[0].step * twins[1].step)
    assert (found == reference_codes(block, x.double())).all()
    assert len(np.unique(found)) == 2**bits


@pytest.mark.parametrize("scheme", ["ls-1", "ls-2", "ls-T", "gf-3"])
@pytest.mark.parametrize("terms", [1, 2])
def test_lsbq_layer(scheme, terms):
    x = batch() - 0.4
    before, after = (
        lsbq.LsbqActivation(scheme, average="train_and_eval", momentum=0.8, terms=terms)
        for _ in range(2)
    )
    weights = lsbq.LsbqWeight("ls-1")
    block = trained(Block(weights, before, after), x)
    kernel = block.weight.detach()
    signs = np.where(kernel.numpy() >= 0, 1, -1)
    parts, exponent = planes.integer_scalars(np.array(before.deployed().scalars))
    products = [convolved(plane, signs) for plane in before.deployed().signs(x.double().numpy())]
    acc = sum(part * product for part, product in zip(parts, products, strict=True))
    unit = weights.scalars(kernel)[:, 0].numpy() * 2.0**exponent
    found = integer_codes(block, acc, unit)
    assert (found == reference_codes(block, x.double())).all()
    assert len(np.unique(found)) == len(after.deployed().boundaries()) + 1
