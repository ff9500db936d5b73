"""Models of other tools, in and out, on the command line."""

import json

import numpy as np
import onnx
import onnxruntime

from shiftloom.quant import golden
from shiftloom.quant.export import load_graph
from shiftloom.quant.quantize import quantize_model

from ..interchange.nets import QonnxNet
from ..interchange.reference import execute


def qonnx_model():
    net = QonnxNet([1, 8])
    x = net.dense(net.quant("x", 0.25, 4), 6, 8, 2)
    x = net.dense(net.quant(net.batch_norm(x, 6), 0.3, 2), 3, 6, 3)
    return net.model(net.quant(x, 0.5, 4))


def test_qonnx_in_and_out(shiftloom, tmp_path):
    source, network = tmp_path / "model.onnx", tmp_path / "model.q.onnx"
    onnx.save(qonnx_model(), source)
    status, out, _ = shiftloom("check", source, "--json")
    assert status == 0
    assert {f["fate"] for f in json.loads(out)["findings"]} == {"array", "fused"}
    assert shiftloom("quantize", source, "-o", network)[0] == 0
    graph = load_graph(network)
    x = np.random.default_rng(0).normal(0, 1, (5, 8)).astype(np.float32)
    (expected,) = execute(qonnx_model(), {"x": x})
    for kind in ("qonnx", "qdq"):
        exported = tmp_path / f"model.{kind}.onnx"
        status, out, _ = shiftloom("export", network, "--format", kind, "-o", exported, "--json")
        assert status == 0
        model = onnx.load(exported)
        assert json.loads(out)["nodes"] == len(model.graph.node)
        assert not model.metadata_props
        assert {n.domain for n in model.graph.node} == (
            {"", "qonnx.custom_op.general"} if kind == "qonnx" else {""}
        )
        if kind == "qonnx":
            assert np.array_equal(execute(model, {"x": x})[0], expected)
            graph = quantize_model(exported)
        else:
            session = onnxruntime.InferenceSession(model.SerializeToString())
            assert np.array_equal(session.run(None, {"x": x})[0], expected)
        (found,) = golden.predict(graph, {"x": x}).values()
        assert np.array_equal(found, expected)


def test_files_of_binary_perceptrons(shiftloom, tmp_path):
    rng = np.random.default_rng(1)
    source, network = tmp_path / "bits.npz", tmp_path / "bits.q.onnx"
    arrays = {}
    for index, (outputs, inputs) in enumerate(((16, 800), (24, 16), (12, 24))):
        arrays[f"weight{index}"] = rng.integers(0, 256, (outputs, inputs // 8), dtype=np.uint8)
        arrays[f"shape{index}"] = np.array([outputs, inputs])
        arrays[f"threshold{index}"] = rng.integers(inputs // 2 - 3, inputs // 2 + 3, outputs)
    np.savez(source, **arrays)
    assert shiftloom("quantize", source, "-o", network)[0] == 0
    images = rng.integers(0, 256, (20, 28, 28))
    bits = (images.reshape(20, -1) > 127).astype(np.int64)
    bits = np.pad(bits, ((0, 0), (0, 16)))
    for index in range(3):
        weight = np.unpackbits(arrays[f"weight{index}"], axis=1).astype(np.int64)
        count = (bits[:, None, :] == weight[None]).sum(axis=2)
        bits = (count > arrays[f"threshold{index}"]).astype(np.int64)
    (found,) = golden.predict(load_graph(network), {"image": images}).values()
    assert np.array_equal(found, count[:, :10])


def test_damaged_archives_of_arrays(shiftloom, tmp_path):
    source = tmp_path / "bits.npz"
    source.write_bytes(b"PK nonsense")
    status, _, text = shiftloom("quantize", source, "-o", tmp_path / "out")
    assert (status, "not an .npz file" in text) == (2, True)
    np.savez(source, weight0=np.zeros((4, 2), np.uint8), shape0=[4, 16])
    status, _, text = shiftloom("quantize", source, "-o", tmp_path / "out")
    assert (status, "SL-Q110" in text) == (2, True)
    np.savez(source, weight0=np.zeros((4, 3), np.uint8), shape0=[4, 16], threshold0=[0] * 4)
    status, _, text = shiftloom("quantize", source, "-o", tmp_path / "out")
    assert (status, "SL-Q107" in text) == (2, True)
    assert not (tmp_path / "out").exists()
