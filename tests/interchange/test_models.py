"""Published models against their definition and their authors' executor."""

import warnings

import numpy as np
import onnx
import pytest

import shiftloom as sl
from shiftloom.quant import golden
from shiftloom.quant.graph import Host
from shiftloom.quant.interchange.export_qonnx import to_qonnx
from shiftloom.quant.quantize import quantize_model
from tests.support.data import data_path

from .reference import execute

TFC = {"1W1A": 9296, "1W2A": 9474, "2W2A": 9660}


def digits(count):
    with np.load(data_path("mnist", "test.npz")) as data:
        images, labels = data["images"][:count], data["labels"][:count]
    return (images[:, None] / np.float32(255)).astype(np.float32), labels


def executor(path, inputs):
    """Return the first output of the qonnx package's executor, for a whole batch."""
    names = ("core.modelwrapper", "core.onnx_exec", "transformation.infer_shapes")
    reason = "needs the qonnx package"
    wrapper, runner, shapes = (pytest.importorskip(f"qonnx.{n}", reason=reason) for n in names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the names of domains
        model = wrapper.ModelWrapper(str(path))
        entry = model.graph.input[0]
        entry.type.tensor_type.shape.dim[0].dim_value = len(inputs)
        made = runner.execute_onnx(model.transform(shapes.InferShapes()), {entry.name: inputs})
    return next(iter(made.values()))


@pytest.mark.data
@pytest.mark.parametrize("name", TFC)
def test_digits_by_definition(name):
    path = data_path("models", "qonnx_tfc", f"TFC_{name}.onnx")
    images, _ = digits(60)
    graph = quantize_model(path)
    (found,) = golden.predict(graph, {"0": images}).values()
    (expected,) = execute(onnx.load(path), {"0": images})
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    assert np.abs(found - expected).max() < 1e-6  # real factors: the sums are equal
    (host,) = (node for node in graph.nodes if isinstance(node, Host))
    assert host.op == "Mul"


@pytest.mark.data
def test_classes_are_the_result_of_a_network_that_ends_in_top_k():
    folder = data_path("models", "finn_tfc")
    graph = quantize_model(folder / "model.onnx")
    (name,) = graph.inputs
    (found,) = golden.predict(graph, {name: np.load(folder / "input.npy")}).values()
    assert found.ravel().tolist() == np.load(folder / "expected_output.npy").tolist()


@pytest.mark.data
@pytest.mark.slow
def test_all_digits_of_the_network_that_ends_in_top_k():
    graph = quantize_model(data_path("models", "finn_tfc", "model.onnx"))
    (name,) = graph.inputs
    images, labels = digits(10_000)
    (found,) = golden.predict(graph, {name: images * np.float32(255)}).values()
    assert (found.ravel() == labels).sum() == TFC["1W1A"]  # the same parameters


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", TFC)
def test_all_digits_with_the_qonnx_package(name):
    path = data_path("models", "qonnx_tfc", f"TFC_{name}.onnx")
    images, labels = digits(10_000)
    graph = quantize_model(path)
    (found,) = golden.predict(graph, {"0": images}).values()
    assert (found.argmax(axis=1) == labels).sum() == TFC[name]
    expected = executor(path, images)
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    again = quantize_model(to_qonnx(graph))
    (third,) = golden.predict(again, {"0": images[:100]}).values()
    assert np.array_equal(third, found[:100])


def jets(count):
    """Return random inputs that 8-bit codes hold exactly, and samples that lead to these codes."""
    codes = np.random.default_rng(5).integers(-128, 128, (count, 16))
    return np.ldexp(codes, -5).astype(np.float32)


@pytest.mark.data
def test_jets_by_definition():
    path = data_path("models", "qonnx_jet", "qkeras_jettagging.onnx")
    inputs = jets(500)
    graph = quantize_model(path, inputs)
    assert graph.tensors["global_in"].exponent == -5
    (found,) = golden.predict(graph, {"global_in": inputs}).values()
    (expected,) = execute(onnx.load(path), {"global_in": inputs})
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    assert np.abs(found - expected).max() < 1e-6  # softmax
    without_softmax = [node.op for node in graph.nodes if isinstance(node, Host)]
    assert without_softmax == ["Mul", "Softmax"]


@pytest.mark.data
@pytest.mark.slow
def test_jets_with_the_qonnx_package():
    path = data_path("models", "qonnx_jet", "qkeras_jettagging.onnx")
    inputs = jets(2000)
    graph = quantize_model(path, inputs)
    (found,) = golden.predict(graph, {"global_in": inputs}).values()
    assert np.array_equal(found.argmax(axis=1), executor(path, inputs).argmax(axis=1))


@pytest.mark.data
@pytest.mark.slow
def test_trained_binary_perceptron():
    graph = sl.quantize(data_path("models", "bnn_pynq_lfc", "lfc_w1a1.npz"))
    with np.load(data_path("mnist", "test.npz")) as data:
        images, labels = data["images"], data["labels"]
    (found,) = golden.predict(graph, {"image": images}).values()
    assert (found.argmax(axis=1) == labels).sum() == 9834


@pytest.mark.data
@pytest.mark.parametrize("name", TFC)
def test_digits_on_generated_verilog(name):
    graph = sl.quantize(data_path("models", "qonnx_tfc", f"TFC_{name}.onnx"))
    images, _ = digits(2)
    with pytest.warns(match="runs on the host"):
        found = sl.verify(graph, "tiny", images)
    assert found.equal, found.verdict()


@pytest.mark.data
def test_jets_on_generated_verilog():
    inputs = jets(20)
    graph = quantize_model(data_path("models", "qonnx_jet", "qkeras_jettagging.onnx"), inputs)
    with pytest.warns(match="runs on the host"):
        found = sl.verify(graph, "tiny", inputs)
    assert found.equal, found.verdict()
