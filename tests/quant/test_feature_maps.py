"""Imported and fused graphs mean what the model means: compared with onnxruntime."""

import warnings
from collections import Counter

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from shiftloom.quant import float_graph as fg
from shiftloom.quant.errors import ModelError
from shiftloom.quant.float_run import run_float
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.transforms import prepare

from .builders import Net, small_net


def reference(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    results = [
        session.run(None, {session.get_inputs()[0].name: x[i : i + 1]}) for i in range(len(x))
    ]
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]


def kinds(graph):
    return Counter(type(node).__name__ for node in graph.nodes)


def assert_same(model, shape, samples=2):
    """Compare the imported and the prepared graph with onnxruntime; return the prepared one."""
    x = np.random.default_rng(5).normal(0, 1, (samples, *shape)).astype(np.float32)
    expected = reference(model, x)
    graph = import_onnx(model)
    prepared = prepare(graph)
    found = run_float(prepared, {graph.inputs[0]: x})
    first = run_float(graph, {graph.inputs[0]: x[:1]})
    for name, values in zip(graph.outputs, expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(first[name], values[:1], rtol=1e-4, atol=1e-4)
    return prepared


@pytest.mark.parametrize("opset", [11, 12, 13, 15, 17, 18, 20])
def test_small_net(opset):
    graph = assert_same(small_net(opset), (3, 12, 12))
    expected = {"Conv": 6, "Add": 1, "MaxPool": 1, "Concat": 1, "AveragePool": 1}
    assert kinds(graph) == expected


def test_channels_last_model_has_no_transposes_left():
    net = Net([1, 8, 6, 3])
    x = net.node("Transpose", "x", perm=[0, 3, 1, 2])
    x = net.node("Transpose", net.conv(x, 4, 3, pads=[1, 1, 1, 1]), perm=[0, 2, 3, 1])
    x = net.node("Relu", net.node("Add", x, net.constant(np.arange(4, dtype=np.float32))))
    y = net.node("Transpose", x, perm=[0, 3, 1, 2])
    y = net.node("Transpose", net.conv(y, 4, 4, kernel=1), perm=[0, 2, 3, 1])
    x = net.node("Concat", x, y, axis=3)
    x = net.node("ReduceMean", x, axes=[1, 2], keepdims=0)
    graph = assert_same(net.model(net.dense(x, 5, 8)), (8, 6, 3))
    assert kinds(graph) == {"Conv": 3, "Concat": 1, "AveragePool": 1}
    assert graph.edges["x"].permutation == (2, 0, 1)


def test_channels_last_flatten_and_output():
    net = Net([1, 4, 6, 3])
    x = net.conv(net.node("Transpose", "x", perm=[0, 3, 1, 2]), 5, 3)
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    y = net.dense(net.node("Flatten", x), 7, 40)
    graph = assert_same(net.model(y, x), (4, 6, 3))
    assert kinds(graph) == {"Conv": 2}
    assert graph.edges[graph.outputs[1]].permutation == (2, 0, 1)


def test_normalization_folds_and_what_is_left_becomes_depthwise():
    net = Net([1, 4, 5, 5])
    parameters = [net.rng.uniform(0.5, 2, 4).astype(np.float32) for _ in range(4)]
    x = net.node("BatchNormalization", "x", *(net.constant(p) for p in parameters))
    x = net.conv(net.node("Relu", x), 4, 4, bias=False)
    x = net.node("BatchNormalization", x, *(net.constant(p) for p in parameters))
    x = net.node("Mul", x, net.constant(parameters[0].reshape(4, 1, 1)))
    x = net.node("Sub", x, net.constant(np.float32(0.5)))
    x = net.node("Clip", x, net.constant(np.float32(-0.5)), net.constant(np.float32(0.5)))
    graph = assert_same(net.model(x), (4, 5, 5))
    assert kinds(graph) == {"Conv": 2}
    assert graph.nodes[0].groups == 4


def test_factors_before_the_first_layer_combine():
    net = Net([1, 4, 5, 5])
    x = net.node("Add", "x", net.constant(np.arange(4, dtype=np.float32).reshape(4, 1, 1)))
    x = net.node("Mul", x, net.constant(np.float32(3)))
    x = net.node("Relu", net.node("Sub", net.constant(np.float32(1)), x))
    assert kinds(assert_same(net.model(x), (4, 5, 5))) == {"Conv": 1}


def test_a_channels_last_input_with_several_uses():
    net = Net([1, 5, 6, 3])
    first = net.conv(net.node("Transpose", "x", perm=[0, 3, 1, 2]), 3, 3, kernel=1)
    second = net.conv(net.node("Transpose", "x", perm=[0, 3, 1, 2]), 3, 3, kernel=1)
    back = net.node("Transpose", net.node("Add", first, second), perm=[0, 2, 3, 1])
    x = net.node("Flatten", net.node("Add", back, "x"))
    graph = assert_same(net.model(net.dense(x, 4, 90)), (5, 6, 3))
    assert kinds(graph) == {"Conv": 3, "Add": 2}


def test_a_tensor_that_is_used_twice_keeps_its_batch_norm():
    net = Net([1, 4, 5, 5])
    x = net.conv("x", 4, 4, kernel=1)
    y = net.node("Mul", x, net.constant(np.float32(2)))
    graph = assert_same(net.model(net.node("Add", x, y)), (4, 5, 5))
    assert kinds(graph) == {"Conv": 2, "Add": 1}


def test_padding_and_slices_join():
    net = Net([1, 3, 8, 8])
    pads = net.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2]))
    x = net.conv(net.node("Pad", "x", pads), 4, 3, pads=[1, 1, 1, 1])
    for axis in (2, 3):
        bounds = [net.constant(np.array([v])) for v in (1, 1 << 40, axis, 2)]
        x = net.node("Slice", x, *bounds)
    channels = net.constant(np.array([0, 2, 0, 0, 0, 1, 0, 0]))
    graph = assert_same(net.model(net.node("Pad", x, channels)), (3, 8, 8))
    assert kinds(graph) == {"Conv": 1, "Slice": 1, "Pad": 1}
    assert graph.nodes[0].padding == (2, 1, 1, 3)


def test_channel_shuffle_is_a_permutation():
    net = Net([1, 6, 4, 4])
    x = net.node("Relu", net.conv("x", 6, 6, group=2))
    x = net.node("Reshape", x, net.constant(np.array([0, 2, 3, 2, 2])))
    x = net.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = net.node("Reshape", x, net.constant(np.array([1, 6, 2, 2])))
    model = net.model(net.conv(x, 6, 6, kernel=1, group=6))
    graph = assert_same(model, (6, 4, 4))
    assert kinds(graph) == {"Conv": 2, "Shuffle": 1}


def test_host_operators_inside_and_at_the_end():
    net = Net([1, 4, 6, 6])
    x = net.node("LRN", net.conv("x", 4, 4), size=3)
    x = net.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = net.node("Relu", net.conv(x, 4, 4))
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    x = net.node("Reshape", net.node("Sigmoid", x), net.constant(np.array([0, -1])))
    graph = assert_same(net.model(net.node("Softmax", x)), (4, 6, 6))
    hosts = [(n.op, n.requantized) for n in graph.nodes if isinstance(n, fg.Host)]
    assert hosts[:2] == [("LRN", True), ("AveragePool", True)]
    assert hosts[2:] == [("Sigmoid", False), ("Reshape", False), ("Softmax", False)]


def test_layouts_that_do_not_fit_are_moved_by_the_host():
    net = Net([1, 3, 4, 6])
    x = net.node("Transpose", net.conv("x", 4, 3, kernel=1), perm=[0, 1, 3, 2])
    graph = assert_same(net.model(net.conv(x, 2, 4)), (3, 4, 6))
    assert kinds(graph) == {"Conv": 2, "Host": 1}
    assert next(n for n in graph.nodes if isinstance(n, fg.Host)).keeps_format
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = quantize_model(net.model(net.conv(x, 2, 4)))
    tensors = [quantized.tensors[n.output] for n in quantized.nodes[:2]]
    assert tensors[0].exponent == tensors[1].exponent


def test_split_squeeze_and_sum():
    net = Net([1, 6, 4, 4], opset=18)
    net.nodes.append(helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2))
    x = net.node("Sum", "a", "b", net.conv("a", 3, 3, kernel=1))
    x = net.node("GlobalAveragePool", x)
    x = net.node("Squeeze", x, net.constant(np.array([2, 3])))
    graph = assert_same(net.model(net.dense(x, 2, 3)), (6, 4, 4))
    assert kinds(graph) == {"Slice": 2, "Conv": 2, "Add": 2, "AveragePool": 1}


def test_batches_other_than_one_are_refused():
    net = Net([4, 3, 8, 8])
    graph = import_onnx(net.model(net.conv("x", 2, 3)))
    with pytest.raises(ModelError, match="batch"):
        prepare(graph)
