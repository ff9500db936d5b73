"""QDQ files: lossless for us, the same integers for onnxruntime, and safe to read."""

from dataclasses import fields

import numpy as np
import onnx
import onnxruntime
import pytest

from shiftloom.isa.requantize import Requantize
from shiftloom.quant import golden
from shiftloom.quant.errors import ModelError
from shiftloom.quant.export import from_onnx, load_graph, save_graph, to_onnx
from shiftloom.quant.graph import Conv
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.store import from_description

from .builders import Net, small_net

OPTIONS = [{}, {"two_stage": True}, {"per_channel": True}, {"weight_bits": 3, "activation_bits": 5}]


def samples(shape=(3, 12, 12), count=6):
    return np.random.default_rng(1).normal(0, 1, (count, *shape)).astype(np.float32)


def assert_equal(first, second):
    assert (first.name, first.inputs, first.outputs) == (second.name, second.inputs, second.outputs)
    assert first.tensors == second.tensors
    assert first.edges == second.edges
    assert len(first.nodes) == len(second.nodes)
    for a, b in zip(first.nodes, second.nodes, strict=True):
        assert type(a) is type(b)
        for item in fields(a):
            found, expected = getattr(a, item.name), getattr(b, item.name)
            if isinstance(expected, np.ndarray):
                assert found.dtype == expected.dtype
            assert np.array_equal(found, expected), (a.name, item.name)


def runtime(model, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[i : i + 1]})[0] for i in range(len(x))])


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("softmax", [False, True])
def test_round_trip_and_foreign_truth(options, softmax, tmp_path):
    x = samples()
    graph = quantize_model(small_net(softmax=softmax), x, **options)
    save_graph(graph, tmp_path / "net.q.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["net.q.onnx"]
    loaded = load_graph(tmp_path / "net.q.onnx")
    assert_equal(loaded, graph)
    model = onnx.load(tmp_path / "net.q.onnx")
    onnx.checker.check_model(model, full_check=True)
    ours = golden.predict(graph, {"x": x})[graph.outputs[0]]
    if softmax:
        np.testing.assert_allclose(runtime(model, x), ours, rtol=1e-5)
    else:
        assert np.array_equal(runtime(model, x), ours)


def test_our_file_is_not_quantized_again():
    graph = quantize_model(small_net(), samples())
    assert_equal(quantize_model(to_onnx(graph)), graph)


def plain_net():
    net = Net([1, 8, 8, 3])
    x = net.node("Transpose", "x", perm=[0, 3, 1, 2])
    x = net.node("Relu", net.conv(x, 6, 3))
    y = net.conv(x, 6, 6, pads=[1, 1, 1, 1], group=6)
    z = net.conv(x, 6, 6, pads=[1, 1, 1, 1], group=6)
    x = net.node("Relu", net.node("Add", z, y))
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return net.model(net.dense(net.node("Flatten", x), 4, 54))


@pytest.mark.parametrize("options", [{}, {"per_channel": True}, {"activation_bits": 6}])
def test_qdq_nodes_alone_give_the_same_integers(options):
    x = samples((8, 8, 3))
    graph = quantize_model(plain_net(), x, **options)
    model = to_onnx(graph)
    del model.metadata_props[:]
    again = quantize_model(model)
    types = [(t.shape, t.bits, t.signed, t.exponent) for t in graph.tensors.values()]
    assert types == [(t.shape, t.bits, t.signed, t.exponent) for t in again.tensors.values()]
    layers = zip(graph.nodes, again.nodes, strict=True)
    for a, b in layers:
        assert type(a) is type(b)
        assert getattr(a, "requantize", Requantize()) == getattr(b, "requantize", Requantize())
        if isinstance(a, Conv):
            assert np.array_equal(a.weight, b.weight)
            assert np.array_equal(a.bias, b.bias)
    codes = {"x": golden.encode_input(graph, "x", x)}
    found = golden.run(again, codes)[again.outputs[0]]
    assert np.array_equal(found, golden.run(graph, codes)[graph.outputs[0]])


def test_changed_files_are_refused():
    model = to_onnx(quantize_model(small_net(), samples()))
    weight = next(t for t in model.graph.initializer if t.name.endswith("/weight"))
    weight.raw_data = bytes([weight.raw_data[0] ^ 1]) + weight.raw_data[1:]
    with pytest.raises(ModelError, match="changed"):
        from_onnx(model)


def test_other_files_are_refused():
    with pytest.raises(ModelError, match="no quantized graph"):
        from_onnx(small_net())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version":2}', '{"version":1,"name":"x"}', "[" * 100000]
)
def test_damaged_descriptions_are_refused(text):
    with pytest.raises(ModelError) as error:
        from_description(text, {})
    assert error.value.code == "SL-Q113"


def test_nothing_is_left_when_writing_fails(tmp_path, monkeypatch):
    graph = quantize_model(small_net(), samples())
    (tmp_path / "net.q.onnx").mkdir()
    with pytest.raises(OSError, match="directory"):
        save_graph(graph, tmp_path / "net.q.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["net.q.onnx"]
