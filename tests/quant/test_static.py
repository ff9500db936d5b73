"""Static quantization: which formats it chooses, and that the integers follow the floats."""

import warnings

import numpy as np
import pytest

from shiftloom.isa.requantize import Rounding
from shiftloom.quant import golden, golden_ops
from shiftloom.quant.errors import ModelError, QuantizationWarning
from shiftloom.quant.float_run import run_float
from shiftloom.quant.graph import Add, AveragePool, Concat, Conv, Host, MaxPool
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.thresholds import exponent, kl_j, max_threshold
from shiftloom.quant.transforms import prepare

from .builders import Net, small_net


def samples(shape, count=8, seed=3):
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)


def relative_error(model, x, **options):
    """Return the root of the mean squared error over the deviation of the float outputs."""
    graph = quantize_model(model, x, **options)
    (name,), (output,) = graph.inputs, graph.outputs
    found = golden.predict(graph, {name: x})[output]
    expected = run_float(prepare(import_onnx(model)), {name: x})[output]
    return np.sqrt(np.mean((found - expected) ** 2)) / expected.std()


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({}, 0.06),
        ({"two_stage": True}, 0.06),
        ({"per_channel": True}, 0.06),
        ({"weight_bits": 4}, 0.5),
        ({"activation_bits": 4}, 0.6),
    ],
)
def test_small_net_is_close_to_its_floats(options, limit):
    error = relative_error(small_net(), samples((3, 12, 12)), **options)
    assert error < limit


def test_more_bits_are_better():
    x = samples((3, 12, 12))
    errors = [relative_error(small_net(), x, weight_bits=bits) for bits in (3, 5, 8)]
    assert errors == sorted(errors, reverse=True)


def test_formats_follow_the_rules():
    graph = quantize_model(small_net(), samples((3, 12, 12)))
    convs = [node for node in graph.nodes if isinstance(node, Conv)]
    assert graph.tensors[convs[0].output].signed is False  # a ReLU follows
    assert graph.tensors["x"].signed is True
    for node in graph.nodes:
        if isinstance(node, Concat):
            formats = {graph.tensors[n].exponent for n in (*node.inputs, node.output)}
            assert len(formats) == 1
        if isinstance(node, MaxPool):
            before, after = graph.tensors[node.inputs[0]], graph.tensors[node.output]
            assert (before.exponent, before.signed) == (after.exponent, after.signed)
        if isinstance(node, AveragePool):
            assert node.requantize.rounding is Rounding.FLOOR
            assert node.reciprocal == 228
        if isinstance(node, Add):
            a, b = (graph.tensors[n].exponent for n in node.inputs)
            assert a - node.shifts[0] == b - node.shifts[1] == min(a, b)


def test_weights_have_their_maximum_as_threshold():
    model = small_net()
    graph = quantize_model(model, samples((3, 12, 12)))
    floats = {node.name: node for node in prepare(import_onnx(model)).nodes}
    for node in graph.nodes:
        if isinstance(node, Conv):
            weight = floats[node.name].weight
            step = exponent(max_threshold(weight), 8, True)
            assert node.weight_exponent == (step,)
            clipped = np.clip(np.rint(weight / 2.0**step), -128, 127)
            assert np.array_equal(node.weight, clipped)


def test_input_and_first_layer_are_calibrated_by_kl_j_on_what_they_see():
    x = samples((3, 12, 12), count=40)
    net = Net([1, 3, 12, 12])
    graph = quantize_model(net.model(net.conv("x", 4, 3)), x)
    assert graph.tensors["x"].exponent == exponent(kl_j(x, 8, True), 8, True)
    (node,) = graph.nodes
    codes = golden.encode_input(graph, "x", x).astype(np.float32).swapaxes(0, 1)
    acc = golden_ops.accumulate_conv(node, codes, 128)
    step = node.weight_exponent[0] + graph.tensors["x"].exponent
    expected = exponent(kl_j(np.ldexp(acc, step), 8, True), 8, True)
    assert graph.tensors[node.output].exponent == expected
    assert node.requantize.shift == (expected - step,)


def test_branches_of_an_addition_share_a_threshold():
    net = Net([1, 3, 8, 8])
    a, b = net.conv("x", 4, 3), net.conv("x", 4, 3)
    scaled = net.node("Mul", b, net.constant(np.float32(20)))
    graph = quantize_model(net.model(net.node("Add", a, scaled)), samples((3, 8, 8)))
    branches = [graph.tensors[n.output] for n in graph.nodes if isinstance(n, Conv)]
    assert branches[0] == branches[1]
    assert graph.nodes[-1].shifts == (0, 0)


def test_parts_of_a_concatenation_get_one_format():
    net = Net([1, 3, 8, 8])
    x = net.node("Relu", net.conv("x", 4, 3))
    small = net.node("Mul", net.conv(x, 2, 4, kernel=1), net.constant(np.float32(0.01)))
    x = net.node("Concat", x, small, net.node("Relu", net.conv(x, 3, 4, kernel=1)), axis=1)
    graph = quantize_model(net.model(net.conv(x, 2, 9)), samples((3, 8, 8)))
    (join,) = (n for n in graph.nodes if isinstance(n, Concat))
    formats = [graph.tensors[name] for name in (*join.inputs, join.output)]
    assert {(t.signed, t.exponent) for t in formats} == {(True, formats[0].exponent)}
    (shortcut,) = (n for n in graph.nodes if n.output == join.inputs[0])
    assert np.all(shortcut.weight == 1)  # the unsigned branch is requantized by a layer


def test_a_shortcut_into_a_concatenation_is_not_requantized_to_smaller_steps():
    net = Net([1, 3, 8, 8])
    x = net.node("Relu", net.conv("x", 1, 3))
    hundredth = net.constant(np.float32(0.01))
    parts = [net.node("Mul", net.conv(x, 64, 1, kernel=1), hundredth) for _ in range(3)]
    small = [net.node("Relu", part) for part in parts]
    model = net.model(net.conv(net.node("Concat", x, *small, axis=1), 2, 193))
    graph = quantize_model(model, samples((3, 8, 8), count=40))
    (join,) = (n for n in graph.nodes if isinstance(n, Concat))
    assert join.inputs[0] == graph.nodes[0].output


def test_a_shortcut_keeps_its_format_and_is_aligned_exactly():
    net = Net([1, 4, 8, 8])
    x = net.node("Relu", net.conv("x", 4, 4, kernel=1))
    y = net.conv(x, 4, 4, pads=[1, 1, 1, 1])
    graph = quantize_model(net.model(net.node("Add", x, y)), samples((4, 8, 8)))
    add = graph.nodes[-1]
    a, b = (graph.tensors[name] for name in add.inputs)
    assert not a.signed
    assert b.signed
    assert a.exponent - add.shifts[0] == b.exponent - add.shifts[1]


def test_images_are_unsigned_codes():
    net = Net([1, 3, 8, 8])
    x = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 8)).astype(np.float32)
    graph = quantize_model(net.model(net.conv("x", 2, 3)), x)
    assert (graph.tensors["x"].signed, graph.tensors["x"].exponent) == (False, 0)


def test_clamps_become_clamps_of_codes():
    net = Net([1, 3, 8, 8])
    x = net.conv("x", 4, 3)
    x = net.node("Clip", x, net.constant(np.float32(-0.5)), net.constant(np.float32(1)))
    graph = quantize_model(net.model(x), samples((3, 8, 8)))
    (node,), tensor = graph.nodes, graph.tensors[graph.outputs[0]]
    assert node.requantize.out_low * 2.0**tensor.exponent == -0.5
    assert node.requantize.out_high == min(127, 2.0**-tensor.exponent)


def test_tiny_outputs_need_a_left_shift():
    net = Net([1, 1, 4, 4])
    x = net.conv("x", 1, 1, kernel=1, bias=False)
    narrow = net.node("Clip", x, net.constant(np.float32(0)), net.constant(np.float32(2**-12)))
    graph = quantize_model(net.model(narrow), 4 * np.ones((2, 1, 4, 4), np.float32))
    (node,) = graph.nodes
    assert node.requantize.out_shift < 0
    assert node.requantize.shift == (0,)


def test_a_bias_that_would_not_fit_raises_the_weights_exponent():
    net = Net([1, 1, 4, 4])
    weight = net.constant(np.full((1, 1, 1, 1), 1e-9, np.float32))
    x = net.node("Conv", "x", weight, net.constant(np.array([1e3], np.float32)))
    graph = quantize_model(net.model(x), samples((1, 4, 4)))
    (node,) = graph.nodes
    assert abs(int(node.bias[0])) <= 1 << 30
    value = golden.predict(graph, {"x": samples((1, 4, 4))})[graph.outputs[0]]
    np.testing.assert_allclose(value, 1e3, rtol=0.01)


def test_two_stages_share_a_16_bit_format():
    graph = quantize_model(small_net(), samples((3, 12, 12)), two_stage=True)
    for node in graph.nodes:
        if isinstance(node, Conv):
            assert not node.bias.any()
            assert (node.requantize.low, node.requantize.high) == (-32768, 32767)
    assert any(n.mid_bias.any() for n in graph.nodes if isinstance(n, Conv))


def test_the_16_bit_format_holds_sums_and_biases():
    net = Net([1, 3, 8, 8])
    graph = quantize_model(net.model(net.conv("x", 4, 3)), samples((3, 8, 8)), two_stage=True)
    (node,) = graph.nodes
    codes = golden.encode_input(graph, "x", samples((3, 8, 8))).astype(np.float32).swapaxes(0, 1)
    acc = golden_ops.accumulate_conv(node, np.ascontiguousarray(codes), 128)
    first = np.abs(np.ldexp(acc, -node.requantize.shift[0])).max()
    assert 1 << 14 < max(first, np.abs(node.mid_bias).max()) <= 1 << 15


def test_quantization_is_deterministic_and_reports_progress():
    calls = []
    x = samples((3, 12, 12))
    first = quantize_model(small_net(), x, progress=lambda *a: calls.append(a))
    second = quantize_model(small_net(), x)
    assert first.tensors == second.tensors
    assert calls[0][0] == 0
    assert calls[-1][0] == calls[-1][1] == len(calls) - 1


def test_without_data_there_is_a_warning():
    with pytest.warns(QuantizationWarning, match="no calibration data"):
        first = quantize_model(small_net())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert quantize_model(small_net()).tensors == first.tensors


@pytest.mark.parametrize("wrong", [np.zeros((2, 3, 12, 11)), np.zeros((0, 3, 12, 12))])
def test_wrong_calibration_data_is_refused(wrong):
    with pytest.raises(ModelError) as error:
        quantize_model(small_net(), wrong)
    assert error.value.code == "SL-Q111"


def test_softmax_stays_on_the_host():
    graph = quantize_model(small_net(softmax=True), samples((3, 12, 12)))
    node = graph.nodes[-1]
    assert isinstance(node, Host)
    assert node.op == "Softmax"
    assert node.output not in graph.tensors
    probabilities = golden.predict(graph, {"x": samples((3, 12, 12))})[graph.outputs[0]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
