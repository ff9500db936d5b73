"""Models of Brevitas, exported as QONNX: their own integers."""

import warnings

import numpy as np
import pytest

from shiftloom.quant import golden
from shiftloom.quant.graph import Conv
from shiftloom.quant.quantize import quantize_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
REASON = "needs torch and brevitas"


def brevitas():
    """Return torch, Brevitas' layers, its fixed-point quantizers and its export."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = ("torch", "brevitas.nn", "brevitas.quant.fixed_point", "brevitas.export")
        return tuple(pytest.importorskip(name, reason=REASON) for name in names)


def fixed_point_network(torch, layers, quant):
    """Return a network with powers of two alone: 4 to 8 bits, biases, a depthwise layer."""
    weight = {"weight_quant": quant.Int8WeightPerTensorFixedPoint, "return_quant_tensor": True}
    signed = {"act_quant": quant.Int8ActPerTensorFixedPoint, "return_quant_tensor": True}
    positive = {"act_quant": quant.Uint8ActPerTensorFixedPoint, "return_quant_tensor": True}
    bias = {"bias": True, "bias_quant": quant.Int8BiasPerTensorFixedPointInternalScaling}
    return torch.nn.Sequential(
        layers.QuantIdentity(**signed),
        layers.QuantConv2d(3, 8, 3, padding=1, weight_bit_width=6, **bias, **weight),
        layers.QuantReLU(bit_width=6, **positive),
        torch.nn.MaxPool2d(2),
        layers.QuantConv2d(8, 8, 3, groups=8, bias=False, **weight),
        layers.QuantReLU(bit_width=4, **positive),
        torch.nn.Flatten(),
        layers.QuantLinear(72, 10, bias=False, **weight),
        layers.QuantIdentity(**signed),
    )


def real_scale_network(torch, layers, _quant):
    """Return a network with scales of all kinds: 2-bit weights and activations, batch norm."""
    tensor = {"return_quant_tensor": True}
    weight = {"weight_bit_width": 2, "weight_scaling_per_output_channel": True, "bias": False}
    return torch.nn.Sequential(
        layers.QuantIdentity(bit_width=3, **tensor),
        layers.QuantConv2d(3, 8, 3, padding=1, **weight),
        torch.nn.BatchNorm2d(8),
        layers.QuantReLU(bit_width=2, **tensor),
        torch.nn.MaxPool2d(2),
        layers.QuantConv2d(8, 6, 3, **weight),
        torch.nn.BatchNorm2d(6),
        layers.QuantReLU(bit_width=2, **tensor),
        torch.nn.Flatten(),
        layers.QuantLinear(54, 10, **weight),
        layers.QuantIdentity(bit_width=4, **tensor),
    )


@pytest.mark.parametrize("make", [fixed_point_network, real_scale_network])
@pytest.mark.parametrize("seed", range(3))
def test_integers_are_those_of_brevitas(make, seed, tmp_path):
    torch, layers, quant, export = brevitas()
    torch.manual_seed(seed)
    network = make(torch, layers, quant)
    for _ in range(10):
        network(torch.randn(16, 3, 10, 10))
    network.eval()
    path = tmp_path / "model.onnx"
    export.export_qonnx(network, torch.randn(1, 3, 10, 10), str(path), opset_version=18)
    graph = quantize_model(path)
    samples = torch.randn(50, 3, 10, 10)
    result = network(samples)
    (found,) = golden.predict(graph, {graph.inputs[0]: samples.numpy()}).values()
    scale = float(result.scale)
    integers = result.int().numpy()
    assert len(np.unique(integers)) > 8
    assert np.array_equal(np.rint(found / scale), integers)
    banks = [n.thresholds is not None for n in graph.nodes if isinstance(n, Conv)]
    assert any(banks) == (make is real_scale_network)
