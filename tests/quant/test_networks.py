"""Real networks: float execution, static accuracy, speed, and the light ONNX graphs."""

import time
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.images import golden_time
from benchmarks.subjects import trained
from shiftloom.quant import golden
from shiftloom.quant.float_run import run_float
from shiftloom.quant.graph import Host
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.transforms import prepare
from tests.support.data import data_path
from tests.support.onnx_check import assert_onnxruntime_agrees

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

LIGHT = [
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
]

pytestmark = pytest.mark.data


def network(name):
    """Return a network's path and how CIFAR-10 images become its inputs."""
    if name == "resnet8":
        return data_path("models", "mlperf_tiny", "resnet8.onnx"), lambda x: x.astype(np.float32)
    path = data_path("models", "resnet20_cifar10", "resnet20.onnx")
    return path, lambda x: ((x / np.float32(255) - MEAN) / DEVIATION).transpose(0, 3, 1, 2)


def images(part, count):
    with np.load(data_path("cifar10", f"{part}.npz")) as data:
        return data["images"][:count], data["labels"][:count]


def correct(graph, results, labels):
    return float((results[graph.outputs[0]].argmax(axis=1) == labels).mean() * 100)


def static(name, **options):
    path, encode = network(name)
    return quantize_model(path, encode(images("train", 50)[0]), **options), encode


def without_host(graph):
    """Return a graph that ends where host operators, a softmax, would begin."""
    hosts = {node.output: node.inputs[0] for node in graph.nodes if isinstance(node, Host)}
    nodes = tuple(node for node in graph.nodes if node.output not in hosts)
    edges = graph.edges | {read: graph.edges[made] for made, read in hosts.items()}
    outputs = tuple(hosts.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=nodes, edges=edges, outputs=outputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet8", "resnet20"])
def test_static_accuracy_is_within_a_point_of_float(name, capsys):
    quantized, encode = static(name)
    pixels, labels = images("test", 2000)
    inputs = {quantized.inputs[0]: encode(pixels)}
    start = time.perf_counter()
    found = correct(quantized, golden.predict(quantized, inputs), labels)
    seconds = time.perf_counter() - start
    graph = prepare(import_onnx(network(name)[0]))
    blocks = np.split(inputs[graph.inputs[0]], 40)
    parts = [run_float(graph, {graph.inputs[0]: b})[graph.outputs[0]] for b in blocks]
    expected = correct(graph, {graph.outputs[0]: np.concatenate(parts)}, labels)
    with capsys.disabled():
        print(f"\n{name}: static {found:.2f} %, float {expected:.2f} %, golden {seconds:.1f} s")
    assert abs(found - expected) <= 1.0
    assert seconds < 120


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet8", "resnet20"])
def test_golden_is_at_most_six_times_slower_than_onnxruntime(name, tmp_path, capsys):
    data_path("cifar10", "train.npz")  # skips where the data is absent
    found = golden_time(name, trained(name, 128), tmp_path)
    ours, theirs = found.golden_seconds * 1e3, found.onnx_seconds * 1e3
    with capsys.disabled():
        print(f"\n{name}: golden {ours:.3f} ms, onnxruntime {theirs:.3f} ms of CPU an image")
    assert found.ratio < 6


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet8", 20), ("resnet20", 200)],
)
def test_onnxruntime_gets_the_same_integers(name, count, tmp_path):
    quantized, encode = static(name)
    inputs = encode(images("test", count)[0])
    assert_onnxruntime_agrees(without_host(quantized), inputs, tmp_path / "net.q.onnx")


def test_keyword_spotting_gets_every_sample_right():
    with np.load(data_path("models", "mlperf_tiny", "kws_samples.npz")) as data:
        features, labels = data["features"].astype(np.float32), data["labels"]
    graph = quantize_model(data_path("models", "mlperf_tiny", "dscnn_kws.onnx"), features)
    results = golden.predict(graph, {graph.inputs[0]: features})
    assert correct(graph, results, labels) == 100


@pytest.mark.parametrize("name", LIGHT)
def test_light_graph_imports_quickly(name):
    path = data_path("onnx_node_tests", "light", f"light_{name}.onnx")
    start = time.perf_counter()
    graph = prepare(import_onnx(path))
    assert time.perf_counter() - start < 5
    assert graph.nodes


@pytest.mark.parametrize("name", ["squeezenet", "resnet50"])
def test_light_graph_gives_the_stored_output(name):
    folder = data_path("onnx_node_tests", "light")
    graph = import_onnx(folder / f"light_{name}.onnx")
    tensor = onnx.TensorProto.FromString((folder / f"light_{name}_output_0.pb").read_bytes())
    expected = numpy_helper.to_array(tensor)
    shape = graph.shapes[graph.inputs[0]]
    values = np.arange(np.prod(shape)).reshape(shape).astype(np.float32) / np.float32(
        np.prod(shape)
    )
    found = run_float(prepare(graph), {graph.inputs[0]: values})[graph.outputs[0]]
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-3, atol=1e-5)
