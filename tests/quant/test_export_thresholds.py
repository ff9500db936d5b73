"""QDQ files with thresholds: lossless for us, the same integers for onnxruntime."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper

from shiftloom.isa.thresholds import Thresholds
from shiftloom.quant import golden
from shiftloom.quant.export import load_graph, save_graph, to_onnx
from shiftloom.quant.graph import Conv, EdgeLayout, QuantGraph, TensorType
from shiftloom.quant.quantize import quantize_model
from tests.support.graphs import random_thresholds

from .builders import small_net
from .test_export import assert_equal, runtime, samples


def thresholded(graph, seed):
    """Return a network whose convolutions compare where they make codes of a byte.

    All that they make are outputs. Their second biases are of no use, and come along.
    """
    nodes, edges = [], {name: graph.edges[name] for name in graph.inputs}
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Conv) and graph.tensors[node.output].bits <= 8:
            bank = random_thresholds(node, graph.tensors[node.output], (seed, index))
            second = np.arange(len(node.bias)).astype(np.int16)
            nodes.append(replace(node, thresholds=bank, mid_bias=second))
            edges[node.output] = EdgeLayout(shape=(1, *graph.tensors[node.output].shape))
        else:
            nodes.append(node)
    outputs = tuple(name for name in edges if name not in graph.inputs)
    return replace(graph, nodes=tuple(nodes), edges=edges, outputs=outputs)


@pytest.mark.parametrize("options", [{}, {"per_channel": True}, {"two_stage": True}])
def test_round_trip_and_foreign_truth(options, tmp_path):
    x = samples()
    graph = thresholded(quantize_model(small_net(), x, **options), seed=len(options))
    save_graph(graph, tmp_path / "net.q.onnx")
    assert_equal_with_banks(load_graph(tmp_path / "net.q.onnx"), graph)
    model = onnx.load(tmp_path / "net.q.onnx")
    onnx.checker.check_model(model, full_check=True)
    ours = golden.predict(graph, {"x": x})
    codes = [len(np.unique(ours[name])) for name in graph.outputs]
    assert len(codes) > 1
    assert max(codes) > 3
    for name in graph.outputs:
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(name, 1, None))
        assert np.array_equal(runtime(model, x), ours[name])


def assert_equal_with_banks(first, second):
    for a, b in zip(first.nodes, second.nodes, strict=True):
        if isinstance(b, Conv) and b.thresholds:
            assert a.thresholds.low == b.thresholds.low
            assert np.array_equal(a.thresholds.values, b.thresholds.values)
    plain = [
        replace(
            graph,
            nodes=tuple(
                replace(node, thresholds=None) if isinstance(node, Conv) else node
                for node in graph.nodes
            ),
        )
        for graph in (first, second)
    ]
    assert_equal(*plain)


@pytest.mark.parametrize("signed", [False, True])
def test_thresholds_met_exactly_and_beyond_what_float32_holds(signed):
    """The runtime's sums are exact up to 2**24, where float32 has no odd numbers any more."""
    edge = 1 << 24
    values = [[-1, 0, 1], [edge - 1, edge, edge + 1], [-edge - 1, -edge, 1 - edge]]
    values += [[-(1 << 31), edge + 1, (1 << 31) - 1]]
    bank = Thresholds(values=np.array(values, np.int32), low=-2)
    node = Conv(
        name="compare",
        inputs=("x",),
        output="y",
        weight=np.ones((4, 1, 1, 1), np.int8),
        weight_exponent=(-3, 0, 2, 1),
        bias=np.array([0, edge - 127, 128 - edge, 0], np.int32),
        mid_bias=np.zeros(4, np.int16),
        requantize=quantize_model(small_net(), samples()).nodes[0].requantize,
        thresholds=bank,
    )
    codes = np.arange(-128, 128) if signed else np.arange(128)
    shape = (1, 1, len(codes))
    graph = QuantGraph(
        name="edges",
        inputs=("x",),
        outputs=("y",),
        tensors={
            "x": TensorType(shape=shape, signed=signed, exponent=-4),
            "y": TensorType(shape=(4, 1, len(codes)), bits=2, exponent=-1),
        },
        nodes=(node,),
        edges={n: EdgeLayout(shape=(1, c, 1, len(codes))) for n, c in (("x", 1), ("y", 4))},
    )
    x = np.ldexp(codes.astype(np.float32), -4).reshape(1, *shape)
    ours = golden.predict(graph, {"x": x})["y"]
    right = (codes[:, None, None] + node.bias[:, None] >= bank.values).sum(axis=2) - 2
    assert np.array_equal(ours[0, :, 0].T, right / 2)
    assert np.array_equal(runtime(to_onnx(graph), x), ours)
