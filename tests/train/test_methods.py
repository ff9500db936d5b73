"""Networks of QIL, LG-LSQ and LSBQ, and the integer networks they become, are equal code for code.

Between low-bit layers the integer network has comparators alone, and the same codes as training;
in front of additions and pools it has shifts, because training has powers of two there already.
"""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from shiftloom.compiler.compile import compile_graph
from shiftloom.isa.config import load_config
from shiftloom.quant import golden
from shiftloom.quant.graph import Add, Conv
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.recipe import LglsqParts, recipe_for
from shiftloom.quant.transforms import prepare
from tests.quant.builders import Net, small_net

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
network = pytest.importorskip("shiftloom.quant.train.network", reason=REASON)
precision = pytest.importorskip("shiftloom.quant.train.precision", reason=REASON)
export = pytest.importorskip("shiftloom.quant.train.export", reason=REASON)
fitting = pytest.importorskip("shiftloom.quant.train.fitting", reason=REASON)
low_conv = pytest.importorskip("shiftloom.quant.train.low_conv", reason=REASON)

METHODS = [("qil", 4, 4), ("qil", 2, 2), ("lglsq", 4, 4), ("lglsq", 3, 2), ("lsbq", 1, 2)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def built(model, samples, method, weights, activations, **more):
    bits = precision.Precision(
        method=method, weight_bits=weights, activation_bits=activations, **more
    )
    return network.Network(prepare(import_onnx(model)), {"x": samples}, bits)


def assert_equal_everywhere(trained, samples):
    """Compare the codes of every tensor that both have; return the integer graph."""
    graph = export.export_network(trained)
    codes = golden.run(graph, {"x": golden.encode_input(graph, "x", samples)}, keep=True)
    exact = deepcopy(trained).double().eval()
    with torch.no_grad():
        values = exact.coded({"x": exact.encode("x", samples)})
    assert values.keys() <= codes.keys()
    for name, coded in values.items():
        assert (codes[name] == coded.codes.numpy()).all(), name
    for name, coded in values.items():
        if name not in trained.plan.inner and not name.endswith("/low"):
            assert float(coded.unit) == 2.0 ** graph.tensors[name].exponent, name
    return graph


def block_net(relu=True, down=False):
    """Return a model with two residual blocks and pools between low-bit layers, input 3x8x8."""
    net = Net(["n", 3, 8, 8], seed=1)
    x = net.node("Relu", net.conv("x", 8, 3, pads=[1, 1, 1, 1]))
    for _ in range(2):
        y = net.conv(x, 8, 8, pads=[1, 1, 1, 1])
        y = net.node("Relu", y) if relu else y
        y = net.conv(y, 8, 8, pads=[1, 1, 1, 1])
        z = net.conv(x, 8, 8, kernel=1) if down else x
        x = net.node("Add", z, y)
        x = net.node("Relu", x) if relu else x
    y = net.node("Relu", net.conv(x, 12, 8, pads=[1, 1, 1, 1]))
    y = net.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = net.node("Relu", net.conv(y, 12, 12, group=12, pads=[1, 1, 1, 1]))
    y = net.node("Relu", net.conv(y, 6, 12, kernel=1))
    y = net.node("GlobalAveragePool", y)
    return net.model(net.dense(net.node("Flatten", y), 5, 6))


def trained_a_little(found, shape, **changes):
    """Train on noise, so that all that is trained has moved."""
    recipe = replace(recipe_for(found.precision.method, epochs=1, batch=8), **changes)
    labels = np.random.default_rng(3).integers(0, 5, 32)
    fitting.fit(found, noise(32, *shape, seed=4), labels, recipe)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_layer_equals_its_integers(method):
    found = built(small_net(), noise(20, 3, 12, 12), *method)
    assert_equal_everywhere(found, noise(4, 3, 12, 12, seed=1) * 2)
    trained_a_little(found, (3, 12, 12), weight_lr=1e-2, quantizer_lr=0.05)
    assert_equal_everywhere(found, noise(4, 3, 12, 12, seed=1) * 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("relu", "down"), [(True, False), (False, True)])
def test_residual_blocks_equal_their_integers(method, relu, down):
    found = built(block_net(relu, down), noise(20, 3, 8, 8), *method)
    trained_a_little(found, (3, 8, 8), weight_lr=1e-2, live_norms=0.5)
    graph = assert_equal_everywhere(found, noise(8, 3, 8, 8, seed=1))
    convs = [node for node in graph.nodes if isinstance(node, Conv)]
    recoded = [node for node in convs if node.output.endswith("/low")]
    assert recoded
    assert all(node.thresholds is not None and node.groups == 8 for node in recoded)
    for node in graph.nodes:
        if isinstance(node, Add):
            assert {graph.tensors[name].bits for name in node.inputs} == {8, 16}
            assert node.shifts == (0, 0)


def test_sums_of_16_bits_stand_just_before_their_addition():
    """Else the addition drains with its other operand, and they would have to be stored."""
    net = Net(["n", 3, 8, 8], seed=1)
    x = net.node("Relu", net.conv("x", 8, 3, pads=[1, 1, 1, 1]))
    y = net.conv(net.node("Relu", net.conv(x, 8, 8, pads=[1, 1, 1, 1])), 8, 8, kernel=1)
    z = net.node("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])  # after the convolution
    x = net.node("Relu", net.node("Add", y, z))
    found = built(net.model(net.conv(x, 5, 8, kernel=8)), noise(20, 3, 8, 8), "lglsq", 4, 4)
    graph = assert_equal_everywhere(found, noise(4, 3, 8, 8, seed=1))
    compile_graph(graph, load_config("tiny"))
    order = [node.output for node in graph.nodes]
    (add,) = [node for node in graph.nodes if isinstance(node, Add)]
    assert order.index(add.output) == order.index(add.inputs[0]) + 1


@pytest.mark.parametrize("method", METHODS)
def test_negative_slopes_become_negated_channels(method):
    found = built(block_net(), noise(20, 3, 8, 8), *method)
    with torch.no_grad():
        for layer in found.low_layers():
            layer.norm.gamma[::2] *= -1
            layer.norm.beta += 0.3
    graph = assert_equal_everywhere(found, noise(8, 3, 8, 8, seed=1))
    between = {f.output for f in graph.nodes if isinstance(f, Conv) and f.thresholds is not None}
    assert between & found.plan.inner.keys()


def test_plan_has_low_bits_inside_and_eight_outside():
    found = built(block_net(), noise(20, 3, 8, 8), "lglsq", 4, 3)
    graph, plan = export.export_network(found), found.plan
    convs = [n.name for n in found.graph.nodes if n.name in plan.weight_bits]
    assert [plan.weight_bits[name] for name in convs] == [8, *[4] * (len(convs) - 2), 8]
    assert plan.low == {*convs[1:-1]}
    for name in plan.inner:
        assert graph.tensors[name].bits == 3
        assert not graph.tensors[name].signed
    for name in plan.members:
        assert graph.tensors[name].bits == 8
    low = [n for n in graph.nodes if isinstance(n, Conv) and n.name in plan.low]
    assert all(np.abs(node.weight).max() <= 8 for node in low if node.thresholds)


def test_powers_of_two_cost_no_rescaling_of_weights():
    """The factor between a channel's real unit and its power of two goes into the weights."""
    found = built(block_net(), noise(20, 3, 8, 8), "lglsq", 8, 4)
    (layer, *_) = [part for part in found.low_layers() if part.power_of_two]
    x = found.code_quantizer(found.plan.inner.get(layer.node.inputs[0], layer.node.inputs[0]))
    coded = x.coded(torch.rand(4, 8, 8, 8))
    layer.eval()
    with torch.no_grad():
        layer.norm.gamma *= torch.logspace(-1, 1, 8)
        exact = deepcopy(layer)
        exact.power_of_two = False
        apart = (layer(coded) - exact(coded)).abs().max() / exact(coded).abs().max()
    units = layer.integers(coded.unit).unit
    assert (np.frexp(np.abs(units))[0] == 0.5).all()
    assert len(np.unique(units)) > 1
    assert (
        float(apart) < 0.03
    )  # weights of 8 bits; the nearest powers themselves are up to 0.41 off


def test_norms_follow_the_data_and_freeze():
    found = built(block_net(), noise(20, 3, 8, 8), "lsbq", 1, 2)
    before = [layer.norm.variance.clone() for layer in found.low_layers()]
    trained_a_little(found, (3, 8, 8), live_norms=0.0)
    same = [
        torch.equal(a, layer.norm.variance)
        for a, layer in zip(before, found.low_layers(), strict=True)
    ]
    assert all(same)
    trained_a_little(found, (3, 8, 8), live_norms=1.0)
    moved = [
        not torch.equal(a, layer.norm.variance)
        for a, layer in zip(before, found.low_layers(), strict=True)
    ]
    assert all(moved)


def test_bfloat16_is_for_steps_with_live_norms():
    found, seen = built(block_net(), noise(20, 3, 8, 8), "lsbq", 1, 2), []
    found.low_layers()[0].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    trained_a_little(found, (3, 8, 8), live_norms=0.5, bfloat16=True)
    assert seen == [torch.bfloat16] * 2 + [torch.float32] * 2
    assert all(parameter.dtype == torch.float32 for parameter in found.parameters())
    assert_equal_everywhere(found, noise(4, 3, 8, 8, seed=1))


def test_a_gain_of_zero_trains_on():
    found = built(block_net(), noise(20, 3, 8, 8), "lsbq", 1, 2)
    with torch.no_grad():
        for layer in found.low_layers():
            layer.norm.gamma[0] = 0
    trained_a_little(found, (3, 8, 8), live_norms=1.0)
    assert all(bool(parameter.isfinite().all()) for parameter in found.parameters())


def test_a_norm_that_is_split_off_changes_nothing():
    model, samples = block_net(), noise(20, 3, 8, 8)
    found = built(model, samples, "qil", 4, 4)
    found.quantizes = False
    with torch.no_grad():
        values = found(found.encode("x", samples))
        wanted = fitting.Teacher(found.graph)(found.encode("x", samples))
    assert values.numpy() == pytest.approx(wanted.numpy(), rel=1e-4, abs=1e-4)


def test_qil_passes_through_more_bits():
    found = built(block_net(), noise(20, 3, 8, 8), "qil", 3, 3)
    seen = []
    recipe = replace(recipe_for("qil", epochs=1, batch=16), stages=(5, 4))
    fitting.fit(
        found,
        noise(32, 3, 8, 8, seed=4),
        np.zeros(32, np.int64),
        recipe,
        progress=lambda *_: seen.append(found.low_layers()[0].quantizer.bits),
    )
    assert seen == [5, 5, 4, 4, 3, 3]
    assert_equal_everywhere(found, noise(4, 3, 8, 8, seed=1))


@pytest.mark.parametrize("gradient", ["probe", "relative", "lsq"])
@pytest.mark.parametrize("sharpness", [None, 4.0])
def test_parts_of_lglsq_are_selectable(gradient, sharpness):
    parts = LglsqParts(step_gradient=gradient, sharpness=sharpness, delta=0.1)
    bits = precision.Precision(method="lglsq", weight_bits=3, activation_bits=3)
    graph = prepare(import_onnx(block_net()))
    found = network.Network(graph, {"x": noise(20, 3, 8, 8)}, bits, parts=parts)
    quantizers = [layer.quantizer for layer in found.low_layers()]
    assert {quantizer.step_gradient for quantizer in quantizers} == {gradient}
    with torch.no_grad():
        for quantizer in quantizers:
            quantizer.step *= 4  # too large by any measure
    before = [float(quantizer.step.detach()) for quantizer in quantizers]
    trained_a_little(found, (3, 8, 8), quantizer_lr=0.1)
    after = [float(quantizer.step.detach()) for quantizer in quantizers]
    if gradient == "lsq":
        assert after != before
    else:
        assert all(small < large for small, large in zip(after, before, strict=True))


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ({"method": "lsq"}, "method must be one of tqt, qil, lglsq, lsbq, not lsq"),
        ({"method": "lsbq", "weight_bits": 2}, "weight_bits must be 1 for lsbq, not 2"),
        ({"method": "qil"}, "activation_bits must be 1…4 for qil, not 8"),
        (
            {"method": "qil", "activation_bits": 4, "two_stage": True},
            "two_stage must be false for qil",
        ),
    ],
)
def test_widths_that_a_method_lacks_are_refused(bits, message):
    with pytest.raises(ValueError, match=message):
        precision.Precision(**bits)
