"""QONNX models become the integers that their definition gives."""

import numpy as np
import pytest

from shiftloom.quant import golden
from shiftloom.quant.graph import Conv, Host
from shiftloom.quant.quantize import quantize_model

from .nets import QonnxNet
from .reference import DOMAINS, execute


def compare(model, x):
    """Check every output value against the definition, and return the integers' graph."""
    graph = quantize_model(model)
    found = golden.predict(graph, {"x": x})
    for index in range(len(x)):
        expected = execute(model, {"x": x[index : index + 1]})
        for name, values in zip(graph.outputs, expected, strict=True):
            assert np.array_equal(found[name][index : index + 1], values), (name, index)
    return graph


def grid(shape, exponent, low, high, seed=0):
    codes = np.random.default_rng(seed).integers(low, high + 1, shape)
    return np.ldexp(codes, exponent).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_perceptrons_with_real_scales_and_batch_norm(seed, bits):
    net = QonnxNet([1, 20], seed=seed)
    step = net.rng.uniform(0.2, 0.7)
    x = net.quant("x", 2.0**-4, 5)
    x = net.batch_norm(net.dense(x, 12, 20, 1 + seed % 3), 12)
    x = net.bipolar(x, step) if bits == 1 else net.quant(x, step, bits, narrow=seed % 2)
    x = net.node("Relu", net.batch_norm(net.dense(x, 9, 12, 4), 9))
    x = net.quant(x, step, bits, signed=0)
    x = net.quant(net.dense(x, 7, 9, 8), 1.7, 4)
    graph = compare(net.model(x), grid((20, 20), -4, -16, 15))
    banks = [node for node in graph.nodes if isinstance(node, Conv) and node.thresholds]
    assert len(banks) == 3


@pytest.mark.parametrize("seed", range(4))
def test_convolutions_with_scales_per_channel_pools_and_padding(seed):
    net = QonnxNet([1, 3, 10, 10], seed=seed)
    net.domain = DOMAINS[seed % 3]
    x = net.quant("x", 0.25, 4)
    scales = net.rng.uniform(0.02, 0.2, (6, 1, 1, 1))
    x = net.quantized_conv(x, (6, 3, 3, 3), 3, scales, pads=[1, 1, 1, 1])
    x = net.node("MaxPool", net.batch_norm(x, 6), kernel_shape=[2, 2], strides=[2, 2])
    x = net.quant(x, 0.4, 3)
    x = net.quantized_conv(x, (6, 1, 3, 3), 4, group=6, pads=[0, 1, 0, 1])
    x = net.quant(net.node("Relu", net.batch_norm(x, 6)), 0.3, 4, signed=0, op="IntQuant")
    x = net.dense(net.node("Flatten", x), 5, 90, 2)
    compare(net.model(net.quant(x, 0.9, 4)), grid((6, 3, 10, 10), -2, -8, 7))


def test_powers_of_two_are_shifts_with_biases_and_clamps():
    net = QonnxNet([1, 3, 6, 6])
    x = net.quant("x", 2.0**-5, 8)
    weight = net.weights((8, 3, 3, 3), 6, 2.0**-4)
    bias = net.quant(net.constant(net.rng.normal(0, 1, 8).astype(np.float32)), 2.0**-9, 16)
    x = net.node("Relu", net.node("Conv", x, weight, bias))
    x = net.quant(x, 2.0**-3, 8, signed=0)
    x = net.quant(net.quantized_conv(x, (4, 8, 1, 1), 8, 2.0**-6), 2.0**-4, 8, mode="FLOOR")
    graph = compare(net.model(x), grid((5, 3, 6, 6), -5, -128, 127))
    layers = [node for node in graph.nodes if isinstance(node, Conv)]
    assert [node.requantize.shift for node in layers] == [(6,), (5,)]
    assert not any(node.thresholds for node in layers)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "HALF_UP"])
def test_biases_between_two_sums_round_exactly(fraction, mixed, mode):
    net = QonnxNet([1, 4])
    x = net.quant("x", 1.0, 6)
    bias = net.rng.integers(-40, 40, 6) + fraction
    bias[::2] -= fraction * mixed
    x = net.node("Add", net.dense(x, 6, 4, 5, 1.0), net.constant(bias.astype(np.float32)))
    graph = compare(net.model(net.quant(x, 4.0, 7, mode=mode)), grid((200, 4), 0, -32, 31))
    (layer,) = (node for node in graph.nodes if isinstance(node, Conv))
    assert layer.thresholds is None


def test_additions_and_concatenations():
    net = QonnxNet([1, 4, 5, 5])
    x = net.quant("x", 0.25, 4)
    a = net.quant(net.batch_norm(net.quantized_conv(x, (4, 4, 1, 1)), 4), 0.5, 3)
    total = net.node("Relu", net.node("Add", a, x))
    small = net.quant(total, 0.5, 4, signed=0)
    odd = net.quant(net.batch_norm(net.node("Add", a, a), 4), 0.3, 3)
    other = net.quant(net.quantized_conv(odd, (2, 4, 3, 3), pads=[1] * 4), 0.5, 2)
    joined = net.node("Concat", small, other, axis=1)
    last = net.quant(net.quantized_conv(joined, (3, 6, 5, 5)), 0.7, 4)
    compare(net.model(last), grid((12, 4, 5, 5), -2, -8, 7))


@pytest.mark.parametrize("version", [1, 2])
def test_average_pools_that_drop_bits(version):
    net = QonnxNet([1, 2, 6, 6])
    scale = 0.3 if version == 1 else 0.25
    x = net.quant("x", 0.25, 8, signed=0)
    x = net.quant(net.quantized_conv(x, (3, 2, 1, 1), 3), scale, 4, signed=0)
    x = net.node("AveragePool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = net.node("Mul", x, net.scalar(9))
    terms = [net.scalar(v) for v in (scale, 0, 8)]
    if version == 1:
        x = net.custom("Trunc", x, *terms, net.scalar(5), rounding_mode="FLOOR")
    else:
        ends = [net.scalar(scale * 8), net.scalar(5)]
        attributes = {"rounding_mode": "FLOOR", "signed": 0, "narrow": 0}
        x = net.custom("Trunc", x, *terms, *ends, **attributes)
    x = net.quant(net.quantized_conv(x, (4, 3, 2, 2), 4), 0.8, 3)
    compare(net.model(x), grid((10, 2, 6, 6), -2, 0, 255))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("scale", "bias", "low"), [(0.5, -1.0, -2), (1.0, -0.5, -1)])
def test_thresholds_per_channel_that_are_floats(layout, scale, bias, low):
    net = QonnxNet([1, 3, 4, 4])
    x = net.quant("x", 0.5, 5)
    x = net.quantized_conv(x, (5, 3, 3, 3), 3, 0.21)
    if layout == "NHWC":
        x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    values = np.sort(net.rng.normal(0, 2, (5, 6)), axis=1).astype(np.float32)
    bank = net.constant(values)
    x = net.custom(
        "MultiThreshold",
        x,
        bank,
        out_scale=scale,
        out_bias=bias,
        data_layout=layout,
        out_dtype="INT4",
    )
    if layout == "NHWC":
        x = net.node("Transpose", x, perm=[0, 3, 1, 2])
    x = net.bipolar(net.dense(net.node("Flatten", x), 4, 20, 1, 1.0))  # a sum may be a tie
    graph = compare(net.model(x), grid((10, 3, 4, 4), -1, -16, 15))
    assert next(n for n in graph.nodes if isinstance(n, Conv)).thresholds.low == low


def test_thresholds_are_the_next_integer_of_the_sums():
    net = QonnxNet([1, 1])
    weight = net.constant(np.ones((1, 1), np.float32))
    x = net.node("MatMul", net.quant("x", 1.0, 8), weight)
    bank = net.constant(np.array([[-1.5, -1.0, 0.25, 3.0, 1e9]], np.float32))
    model = net.model(net.custom("MultiThreshold", x, bank, out_dtype="UINT3"))
    graph = compare(model, np.arange(-128, 128, dtype=np.float32).reshape(-1, 1))
    (layer,) = graph.nodes
    assert layer.thresholds.values.tolist() == [[-1, -1, 1, 3, 128]]


@pytest.mark.parametrize("width", [4, 60, 600, 3000])
def test_outputs_without_quantizer_are_exact_sums(width):
    net = QonnxNet([1, width])
    weight = net.weights((5, width), 7, 2.0**-3)
    x = net.node("MatMul", net.quant("x", 1.0, 4), net.node("Transpose", weight, perm=[1, 0]))
    graph = compare(net.model(x), grid((40, width), 0, -8, 7))
    extremes = np.where(np.arange(width) % 2, 7, -8) * np.ones((1, width))
    compare(net.model(x), extremes.astype(np.float32))
    (last,) = (node.op for node in graph.nodes if isinstance(node, Host))
    assert last == ("Conv" if width == 3000 else "Mul")


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("scale", [0.25, 0.3])
def test_factors_at_inputs_and_outputs(factor, scale):
    net = QonnxNet([1, 5])
    x = net.quant(net.node("Mul", "x", net.scalar(factor)), scale, 6)
    x = net.quant(net.node("Mul", net.dense(x, 4, 5, 3), net.scalar(2)), 0.5, 4)
    last = net.node("Mul", x, net.scalar(0.75 * factor))
    values = np.random.default_rng(7).normal(0, 4, (50, 5)).astype(np.float32)
    graph = compare(net.model(last), values)
    assert graph.edges[last].scale == 0.75 * factor
    assert not any(isinstance(node, Host) for node in graph.nodes)
    assert len(graph.nodes) == 1


@pytest.mark.parametrize("seed", range(3))
def test_factors_of_both_signs_behind_a_clamp_of_unsigned_sums(seed):
    net = QonnxNet([1, 6], seed=seed)
    x = net.quant("x", 1.0, 4, signed=0)
    x = net.node("Relu", net.batch_norm(net.dense(x, 12, 6, 3, 0.5), 12))
    x = net.quant(net.batch_norm(x, 12), 0.4, 4)
    compare(net.model(x), grid((60, 6), 0, 0, 15))
    net = QonnxNet([1, 6], seed=seed)
    weight = net.constant(net.rng.integers(0, 8, (6, 5)).astype(np.float32))
    x = net.node("MatMul", net.quant("x", 1.0, 4, signed=0), weight)
    x = net.node("Add", net.node("Mul", x, net.scalar(-0.13)), net.scalar(9.7))
    compare(net.model(net.quant(x, 1.0, 4)), grid((60, 6), 0, 0, 15))


def test_biases_that_round_by_themselves():
    net = QonnxNet([1, 4])
    bias = net.constant(np.array([0.25, -0.75, 3.75, 2.0, -1.25], np.float32))
    x = net.node("Add", net.dense(net.quant("x", 1.0, 4), 5, 4, 4, 1.0), bias)
    graph = compare(net.model(net.quant(x, 1.0, 8)), grid((99, 4), 0, -8, 7))
    assert graph.nodes[0].bias.tolist() == [0, -1, 4, 2, -1]


@pytest.mark.parametrize("zero", [-4, 2, 3])
def test_zero_points_of_activations(zero):
    net = QonnxNet([1, 4])
    x = net.dense(net.quant("x", 1.0, 4), 5, 4, 4, 0.5)
    x = net.quant(x, 2.0, 4 if zero % 2 else 6, zero=zero)  # odd ones turn ties to even around
    x = net.quant(net.dense(x, 3, 5, 4), 1.3, 4)
    compare(net.model(x), grid((99, 4), 0, -8, 7))


def test_quantizers_that_narrow_codes():
    net = QonnxNet([1, 4])
    x = net.quant(net.quant("x", 0.5, 6, narrow=1), 0.5, 4)
    compare(net.model(net.quant(x, 0.5, 4, narrow=1)), grid((99, 4), -3, -200, 200))
    net = QonnxNet([1, 4])
    compare(net.model(net.quant("x", 0.3, 4, narrow=1)), grid((99, 4), -3, -200, 200))


def test_bipolar_weights_of_zero_are_positive():
    net = QonnxNet([1, 3])
    values = np.array([[0, -0.0], [-1, 0], [2, -3]], np.float32)
    weight = net.bipolar(net.constant(values), 0.7)
    x = net.node("Add", net.node("MatMul", net.quant("x", 1.0, 3), weight), net.scalar(0.3))
    graph = compare(net.model(net.bipolar(x)), grid((9, 3), 0, -4, 3))
    assert graph.nodes[0].weight.reshape(2, 3).tolist() == [[1, -1, 1], [1, 1, -1]]
