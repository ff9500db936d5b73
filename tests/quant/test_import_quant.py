"""QDQ models: formats that the model prescribes."""

import numpy as np
import pytest

from shiftloom.quant import golden
from shiftloom.quant.errors import QuantizationWarning
from shiftloom.quant.float_run import run_float
from shiftloom.quant.graph import Conv
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.quantize import quantize_model

from .builders import Net
from .test_feature_maps import reference


def qdq_net():
    """Return a model with 4-bit, narrow and unsigned activations and 4-bit weights."""
    net = Net([1, 2, 6, 6])
    x = net.quantized("x", -3, np.int8, -7, 7)
    weight = net.constant(net.rng.integers(-8, 8, (4, 2, 3, 3)).astype(np.int8))
    scale = net.constant(np.float32(2.0**-3))
    bias = net.constant(net.rng.integers(-99, 99, 4).astype(np.int32))
    steps = net.constant(np.float32(2.0**-6))
    parts = [net.node("DequantizeLinear", weight, scale), net.node("DequantizeLinear", bias, steps)]
    x = net.node("Relu", net.node("Conv", x, *parts))
    x = net.quantized(x, -1, np.uint8, 0, 15)
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    scales = net.constant(np.array([0.25, 0.5, 1], np.float32))
    weight = net.constant(net.rng.integers(-128, 128, (3, 4, 1, 1)).astype(np.int8))
    y = net.node("Conv", x, net.node("DequantizeLinear", weight, scales, axis=0))
    return net.model(net.quantized(y, 2))


def test_prescribed_formats_are_kept_and_onnxruntime_agrees():
    model = qdq_net()
    graph = quantize_model(model)
    first, second = (node for node in graph.nodes if isinstance(node, Conv))
    formats = [graph.tensors[n] for n in ("x", first.output, second.output)]
    assert [(t.bits, t.signed, t.exponent) for t in formats] == [
        (4, True, -3),
        (4, False, -1),
        (8, True, 2),
    ]
    assert (first.requantize.out_low, first.requantize.out_high) == (0, 15)
    assert second.weight_exponent == (-2, -1, 0)
    x = np.random.default_rng(0).normal(0, 0.5, (5, 2, 6, 6)).astype(np.float32)
    inside = np.clip(x, -7 / 8, 7 / 8)  # our input codes use the whole of four bits
    (expected,) = reference(model, inside)
    found = golden.predict(graph, {"x": inside})[graph.outputs[0]]
    assert np.array_equal(found, expected)


def test_float_execution_of_a_qdq_model():
    model = qdq_net()
    x = np.random.default_rng(0).normal(0, 0.5, (1, 2, 6, 6)).astype(np.float32)
    (expected,) = reference(model, x)
    graph = import_onnx(model)
    assert np.array_equal(run_float(graph, {"x": x})[graph.outputs[0]], expected)


def test_what_is_not_prescribed_is_calibrated():
    net = Net([1, 2, 6, 6])
    x = net.node("Relu", net.conv(net.quantized("x", -5), 3, 2))
    model = net.model(net.conv(x, 2, 3))
    with pytest.warns(QuantizationWarning):
        graph = quantize_model(model)
    assert graph.tensors["x"].exponent == -5


def test_quantizer_between_layer_and_clamp_is_a_layer_of_its_own():
    net = Net([1, 2, 6, 6])
    x = net.quantized(net.conv(net.quantized("x", -4), 3, 2), -3)
    model = net.model(net.quantized(net.node("Relu", x), -5, np.uint8))
    graph = quantize_model(model)
    assert len(graph.nodes) == 2
    x = np.random.default_rng(0).normal(0, 1, (3, 2, 6, 6)).astype(np.float32)
    (expected,) = reference(model, x)
    found = golden.predict(graph, {"x": x})[graph.outputs[0]]
    assert np.abs(found - expected).max() <= 2.0**-3  # float bias: rounded to the accumulator


def test_float_weights_with_other_scales_are_plain_floats():
    net = Net([1, 2, 6, 6])
    codes = net.constant(net.rng.integers(-128, 128, (3, 2, 1, 1)).astype(np.int8))
    weight = net.node("DequantizeLinear", codes, net.constant(np.float32(0.0173)))
    node = import_onnx(net.model(net.node("Conv", "x", weight))).nodes[0]
    assert node.weight_format is None
    assert np.allclose(node.weight / 0.0173, np.rint(node.weight / 0.0173), atol=1e-3)
