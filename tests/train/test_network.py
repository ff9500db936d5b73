"""A trained network and the integer network it becomes are equal, code for code."""

from copy import deepcopy

import numpy as np
import pytest
from sklearn.datasets import load_digits

from shiftloom.isa.requantize import Rounding
from shiftloom.quant import golden
from shiftloom.quant.graph import AveragePool
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.transforms import prepare
from tests.quant.builders import Net, small_net

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
network = pytest.importorskip("shiftloom.quant.train.network", reason=REASON)
precision = pytest.importorskip("shiftloom.quant.train.precision", reason=REASON)
export = pytest.importorskip("shiftloom.quant.train.export", reason=REASON)
fitting = pytest.importorskip("shiftloom.quant.train.fitting", reason=REASON)


def built(model, samples, **bits):
    return network.TqtNetwork(
        prepare(import_onnx(model)), {"x": samples}, precision.Precision(**bits)
    )


def assert_equal_everywhere(trained, samples):
    """Compare every tensor that both have; return the integer graph."""
    graph = export.export_network(trained)
    codes = golden.run(graph, {"x": golden.encode_input(graph, "x", samples)}, keep=True)
    exact = deepcopy(trained).double().eval()
    with torch.no_grad():
        values = exact.tensors({"x": exact.encode("x", samples)})
    compared = [name for name in values if name in graph.tensors]
    assert {node.output for node in trained.graph.nodes if node.output in values} <= {*compared}
    for name in compared:
        step = 2.0 ** graph.tensors[name].exponent
        assert (codes[name] * step == values[name].numpy()).all(), name
    return graph


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


BITS = [
    {"weight_bits": 8, "activation_bits": 8},
    {"weight_bits": 4, "activation_bits": 8, "per_channel": True},
    {"weight_bits": 3, "activation_bits": 4},
    {"weight_bits": 4, "activation_bits": 4, "two_stage": True},
    {"weight_bits": 8, "activation_bits": 8, "two_stage": True, "per_channel": True},
]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("softmax", [False, True])
def test_network_with_every_layer_equals_its_integers(bits, softmax):
    samples = noise(20, 3, 12, 12)
    trained = built(small_net(softmax=softmax), samples, **bits)
    graph = assert_equal_everywhere(trained, noise(8, 3, 12, 12, seed=1) * 2)
    pools = [node for node in graph.nodes if isinstance(node, AveragePool)]
    assert [node.requantize.rounding for node in pools] == [Rounding.FLOOR]


@pytest.mark.parametrize("bits", BITS)
def test_formats_are_exported_as_planned(bits):
    trained = built(small_net(), noise(20, 3, 12, 12), **bits)
    graph = export.export_network(trained)
    convs = [node for node in trained.graph.nodes if node.name in trained.plan.weight_bits]
    outer = {"x", convs[-1].inputs[0], *graph.outputs}
    for name, group in trained.plan.quantizer.items():
        together = {n for n, g in trained.plan.quantizer.items() if g == group}
        expected = 8 if together & outer else bits["activation_bits"]
        assert graph.tensors[name].bits == expected, name
    weight_bits = [trained.plan.weight_bits[node.name] for node in convs]
    assert weight_bits == [8, *[bits["weight_bits"]] * (len(convs) - 2), 8]


def test_thresholds_of_an_addition_and_a_concatenation_are_shared():
    trained = built(small_net(), noise(20, 3, 12, 12))
    kinds = {type(node).__name__: node for node in trained.graph.nodes}
    quantizers = [trained.quantizer(name) for name in kinds["Concat"].inputs]
    assert quantizers[0] is quantizers[1] is trained.quantizer(kinds["Concat"].output)
    double = Net(["n", 3, 6, 6])
    a, b = double.conv("x", 4, 3, pads=[1, 1, 1, 1]), double.conv("x", 4, 3, pads=[1, 1, 1, 1])
    y = double.node("Add", double.node("Relu", a), b)
    shared = built(double.model(double.conv(y, 5, 4, kernel=6)), noise(20, 3, 6, 6))
    add = next(node for node in shared.graph.nodes if type(node).__name__ == "Add")
    assert shared.quantizer(add.inputs[0]) is shared.quantizer(add.inputs[1])
    assert shared.quantizer(add.inputs[0]).form.signed
    assert_equal_everywhere(shared, noise(6, 3, 6, 6, seed=2))


def test_mixed_concatenation_is_brought_to_one_format():
    net = Net(["n", 3, 8, 8])
    a = net.node("Relu", net.conv("x", 4, 3, pads=[1, 1, 1, 1]))
    pooled = net.node("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2])
    b = net.conv(a, 4, 4, pads=[1, 1, 1, 1], strides=[2, 2])
    y = net.node("Concat", pooled, b, axis=1)
    trained = built(net.model(net.conv(y, 5, 8, kernel=4)), noise(20, 3, 8, 8))
    assert_equal_everywhere(trained, noise(6, 3, 8, 8, seed=2))


def test_padding_of_a_max_pool_never_wins():
    net = Net(["n", 3, 8, 8])
    x = net.conv("x", 6, 3)
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    trained = built(net.model(net.conv(x, 5, 6, kernel=3)), noise(20, 3, 8, 8))
    with torch.no_grad():
        trained.layers[0].bias -= 9  # all values are negative
        trained.calibrate({"x": noise(20, 3, 8, 8)})
    assert_equal_everywhere(trained, noise(6, 3, 8, 8, seed=2))


def test_clamps_of_their_own_keep_their_weights():
    net = Net(["n", 3, 8, 8])
    a, b = net.conv("x", 4, 3), net.conv("x", 4, 3)
    x = net.node("Relu", net.node("Concat", a, b, axis=1))
    trained = built(net.model(net.conv(x, 5, 8, kernel=6)), noise(20, 3, 8, 8), weight_bits=4)
    (fixed,) = [layer for layer in trained.layers if layer.node.weight_format is not None]
    labels = np.random.default_rng(0).integers(0, 5, 20)
    recipe = fitting.Recipe(epochs=3, batch=5, weight_lr=1e-2)
    fitting.fit(trained, noise(20, 3, 8, 8), labels, recipe)
    assert (fixed.weight.numpy() == 1).all()
    assert fixed.quantizer.deployed().exponents == fixed.node.weight_format.exponents
    assert [trained.plan.weight_bits[n] for n in trained.plan.weight_bits] == [8, 4, 8]
    assert_equal_everywhere(trained, noise(6, 3, 8, 8, seed=2))


def digits():
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images = (images.astype(np.float32) / 16).reshape(-1, 1, 8, 8)
    return images[order], labels[order]


def digit_network():
    net = Net(["n", 1, 8, 8], seed=3)
    x = net.node("Relu", net.conv("x", 8, 1, pads=[1, 1, 1, 1]))
    y = net.conv(net.node("Relu", net.conv(x, 8, 8, pads=[1, 1, 1, 1])), 8, 8, kernel=1)
    x = net.node("Relu", net.node("Add", x, y))
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return net.model(net.dense(net.node("Flatten", x), 10, 128))


def accuracy(graph, images, labels):
    (name,) = graph.outputs
    found = golden.predict(graph, {"x": images})[name].argmax(axis=1)
    return float(np.mean(found == labels))


@pytest.fixture(scope="module")
def floats():
    """Return a network trained in float on the digits."""
    images, labels = digits()
    trained = built(digit_network(), images[:50], weight_bits=3, activation_bits=4)
    trained.quantizes = False
    recipe = fitting.Recipe(epochs=6, batch=32, weight_lr=5e-3)
    losses = fitting.fit(trained, images[:1200], labels[:1200], recipe)
    assert losses[-1] < losses[0] / 4
    trained.quantizes = True
    trained.calibrate({"x": images[:50]})
    return trained


def test_training_with_quantizers_recovers_digits_and_exports_equal_integers(floats):
    images, labels = digits()
    trained = deepcopy(floats)
    before = accuracy(export.export_network(trained), images[1200:], labels[1200:])
    start = [float(t.detach()) for t in trained.thresholds()]
    recipe = fitting.Recipe(epochs=4, batch=32, weight_lr=1e-3, freeze_start=40)
    fitting.fit(trained, images[:1200], labels[:1200], recipe)
    assert [float(t.detach()) for t in trained.thresholds()] != start
    assert any(not t.requires_grad for t in trained.thresholds())
    graph = assert_equal_everywhere(trained, images[1200:1300])
    after = accuracy(graph, images[1200:], labels[1200:])
    assert after > 0.94
    assert after > before
    with torch.no_grad():
        found = trained(trained.encode("x", images[1200:])).numpy()
    assert (found == golden.predict(graph, {"x": images[1200:]})[graph.outputs[0]]).all()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_is_reproducible(floats, optimizer):
    images, labels = digits()
    runs = []
    for _ in range(2):
        trained = deepcopy(floats)
        recipe = fitting.Recipe(epochs=1, batch=64, weight_lr=1e-3, optimizer=optimizer)
        fitting.fit(trained, images[:300], labels[:300], recipe)
        runs.append([p.detach().numpy().tobytes() for p in trained.parameters()])
    assert runs[0] == runs[1]
    assert runs[0] != [p.detach().numpy().tobytes() for p in floats.parameters()]


def test_steps_scale_with_the_batch():
    assert fitting.Recipe(batch=24).steps(1000) == 1000
    assert fitting.Recipe(batch=96).steps(1000) == 250


def test_models_that_cannot_be_trained_are_refused():
    net = Net(["n", 3, 6, 6])
    x = net.quantized("x", -4)
    model = net.model(net.conv(x, 4, 3))
    with pytest.raises(ValueError, match="quantized already"):
        built(model, noise(4, 3, 6, 6))
    net = Net(["n", 3, 6, 6])
    x = net.node("Sin", net.conv("x", 4, 3))
    with pytest.raises(ValueError, match="Sin before a layer"):
        built(net.model(net.conv(x, 4, 4)), noise(4, 3, 6, 6))
    net = Net(["n", 3, 6, 6])
    with pytest.raises(ValueError, match="without weights"):
        built(net.model(net.node("MaxPool", "x", kernel_shape=[2, 2])), noise(4, 3, 6, 6))
    with pytest.raises(ValueError, match="2…8"):
        precision.Precision(weight_bits=1)
    with pytest.raises(ValueError, match="adam or sgd"):
        fitting.Recipe(optimizer="lbfgs")
