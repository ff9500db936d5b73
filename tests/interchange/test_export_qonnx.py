"""QONNX out and in again: the same integers, and what the definition of its operators gives."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from shiftloom.isa.requantize import Requantize, Rounding
from shiftloom.quant import golden
from shiftloom.quant.export import from_onnx, to_onnx
from shiftloom.quant.graph import Host, TensorType
from shiftloom.quant.interchange.export_qonnx import to_qonnx
from shiftloom.quant.quantize import quantize_model

from ..quant.builders import conv_graph, small_net
from .nets import QonnxNet
from .reference import execute
from .test_exact import grid


def round_trip(graph, x):
    """Check an exported graph by definition, and after import."""
    model = to_qonnx(graph)
    again = quantize_model(model)
    (name,) = graph.inputs
    expected = golden.predict(graph, {name: x})
    found = golden.predict(again, {name: x})
    for output in graph.outputs:
        assert np.array_equal(found[output], expected[output])
        assert again.tensors.get(output) == graph.tensors.get(output)
    for index in range(len(x)):
        values = execute(model, {name: x[index : index + 1]})
        for output, value in zip(graph.outputs, values, strict=True):
            assert np.array_equal(expected[output][index : index + 1], value)
    return again


def test_shift_layers_pools_additions_and_slices():
    graph = quantize_model(small_net(), np.random.default_rng(1).normal(0, 1, (9, 3, 12, 12)))
    round_trip(graph, np.random.default_rng(0).normal(0, 1, (4, *graph.edges["x"].shape[1:])))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [0, 1, 5])
def test_every_rounding_and_a_clamp(rounding, shift):
    rng = np.random.default_rng(3)
    params = Requantize(shift=(shift,), rounding=rounding, out_low=-90, out_high=77)
    weight = rng.integers(-7, 8, (4, 3, 1, 1)).astype(np.int8)
    bias = rng.integers(-20, 20, 4).astype(np.int32)
    source = TensorType(shape=(3, 5, 5), bits=5)
    graph = conv_graph(weight, source, (4, 5, 5), bias=bias, requantize=params)
    tensors = {"x": source, "y": TensorType(shape=(4, 5, 5), exponent=shift)}
    x = grid((4, 3, 5, 5), 0, -16, 15)
    graph = replace(graph, tensors=tensors)
    again = round_trip(graph, x)
    (node,) = again.nodes
    assert (node.requantize.out_low, node.requantize.out_high) == (-90, 77)
    (expected,) = golden.predict(graph, {"x": x}).values()
    session = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString())
    assert np.array_equal(session.run(None, {"x": x})[0], expected)


@pytest.mark.parametrize(
    "options", [{"weight_bits": 4, "per_channel": True}, {"weight_bits": 3, "activation_bits": 4}]
)
def test_other_widths(options):
    samples = np.random.default_rng(2).normal(0, 1, (9, 3, 12, 12))
    graph = quantize_model(small_net(softmax=True), samples, **options)
    round_trip(graph, samples[:3])


@pytest.mark.parametrize("seed", range(4))
def test_thresholds(seed):
    net = QonnxNet([1, 4, 6, 6], seed=seed)
    x = net.quant("x", 0.25, 4)
    x = net.batch_norm(net.quantized_conv(x, (6, 4, 3, 3), 3, pads=[1, 1, 1, 1]), 6)
    x = net.node("MaxPool", net.quant(x, 0.5, 1 + seed), kernel_shape=[2, 2], strides=[2, 2])
    x = net.quant(net.batch_norm(net.quantized_conv(x, (5, 6, 3, 3), 1 + seed), 5), 0.25, 2)
    graph = quantize_model(net.model(x))
    again = round_trip(graph, grid((6, 4, 6, 6), -2, -8, 7))
    assert sum(getattr(node, "thresholds", None) is not None for node in again.nodes) == 2


def test_wide_sums_and_what_the_host_makes_of_them():
    net = QonnxNet([1, 3, 4, 4])
    x = net.quant("x", 0.25, 8)
    x = net.quant(net.quantized_conv(x, (16, 3, 3, 3), 6, 0.125), 0.5, 8)
    x = net.batch_norm(net.dense(net.node("Flatten", x), 5, 64, 4, 0.25), 5)
    graph = quantize_model(net.model(net.node("Softmax", x)))
    again = round_trip(graph, grid((6, 3, 4, 4), -2, -128, 127))
    assert sum(t.bits == 16 for t in again.tensors.values()) >= 2
    assert not any(node.op == "Conv" for node in again.nodes if isinstance(node, Host))


def test_files_hold_everything():
    net = QonnxNet([1, 6])
    x = net.dense(net.quant("x", 0.5, 3), 4, 6, 3)
    x = net.quant(net.dense(net.quant(net.batch_norm(x, 4), 0.3, 2), 3, 4, 6), 2.0, 4, mode="FLOOR")
    graph = quantize_model(net.model(x))
    again = from_onnx(to_onnx(graph))
    feeds = {"x": grid((9, 6), -1, -4, 3)}
    assert np.array_equal(*(next(iter(golden.predict(g, feeds).values())) for g in (graph, again)))
