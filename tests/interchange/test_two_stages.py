"""Layers that round twice, out and in again; and what the second stage cannot do."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from shiftloom.isa.requantize import Requantize, Rounding
from shiftloom.quant import golden
from shiftloom.quant.export import to_onnx
from shiftloom.quant.graph import TensorType
from shiftloom.quant.interchange.export_qonnx import to_qonnx
from shiftloom.quant.quantize import quantize_model

from ..quant.builders import conv_graph, small_net
from .nets import QonnxNet
from .test_exact import grid
from .test_export_qonnx import round_trip
from .test_refusals import refusal

#: Those that QONNX has as well.
ROUNDINGS = (Rounding.HALF_EVEN, Rounding.FLOOR, Rounding.HALF_AWAY)

WIDE = {"low": -(1 << 15), "high": (1 << 15) - 1}


@pytest.mark.parametrize("options", [{}, {"weight_bits": 4, "per_channel": True}], ids=str)
def test_every_map_of_a_network(options):
    samples = np.random.default_rng(4).normal(0, 1, (9, 3, 12, 12)).astype(np.float32)
    graph = quantize_model(small_net(), samples, two_stage=True, **options)
    again = round_trip(graph, samples[:2])
    codes = {"x": golden.encode_input(graph, "x", samples)}
    expected, found = (golden.run(net, codes, keep=True) for net in (graph, again))
    assert sum(node.requantize.out_shift > 0 for node in again.nodes if hasattr(node, "bias")) > 3
    for name in graph.tensors:
        assert np.array_equal(found[name], expected[name]), name


def layer(*, biased=True, **params):
    """Return a network of one layer, maybe with a bias in both places, and inputs for it."""
    rng = np.random.default_rng(3)
    weight = rng.integers(-7, 8, (4, 3, 1, 1)).astype(np.int8)
    bias = rng.integers(-20, 20, 4).astype(np.int32)
    form = Requantize(**{**WIDE, "out_low": -90, "out_high": 77, **params})
    source = TensorType(shape=(3, 5, 5), bits=5)
    graph = conv_graph(weight, source, (4, 5, 5), bias=bias, requantize=form)
    (node,) = graph.nodes
    if biased:
        node = replace(node, mid_bias=rng.integers(-30, 30, 4).astype(np.int16))
    exponents = tuple(form.shift[0] - shift for shift in form.shift)
    made = TensorType(shape=(4, 5, 5), exponent=form.shift[0] + form.out_shift)
    node = replace(node, weight_exponent=exponents)
    graph = replace(graph, nodes=(node,), tensors={"x": source, "y": made})
    return graph, grid((4, 3, 5, 5), 0, -16, 15)


@pytest.mark.parametrize("out_shift", [-2, 0, 1, 3])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_rounding_and_shift(rounding, out_shift):
    graph, x = layer(shift=(2,), rounding=rounding, out_shift=out_shift)
    (node,), (expected,) = round_trip(graph, x).nodes, graph.nodes
    assert node.requantize == expected.requantize
    assert np.array_equal(node.mid_bias, expected.mid_bias)
    assert np.array_equal(node.bias, expected.bias)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("shift", "out_shift"), [(1, 1), (2, 0), (0, 0), (2, -1), (0, -2)])
def test_a_clamp_between_both(biased, shift, out_shift):
    graph, x = layer(biased=biased, shift=(shift,), low=-16, high=13, out_shift=out_shift)
    (node,), (expected,) = round_trip(graph, x).nodes, graph.nodes
    assert node.requantize == expected.requantize


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {"shift": (2,), "out_shift": 1},
        {"shift": (2,), "out_shift": -2},
        {"shift": (2,), "low": -5, "high": 9},
        {"shift": (0,), "out_shift": -1, "low": -5, "high": 9},
        {"shift": (0, 1, 0, 2), "out_shift": -1},
    ],
    ids=str,
)
def test_the_same_in_qdq(params, biased, rounding):
    graph, x = layer(biased=biased, rounding=rounding, **params)
    (expected,) = golden.predict(graph, {"x": x}).values()
    session = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString())
    assert np.array_equal(session.run(None, {"x": x})[0], expected)


def two_quantizers(step=2.0, bias=0.0, *, second=4.0, modes=("ROUND", "ROUND"), bits=8):
    """Return a layer with sums of 1, a quantizer of 16 bits, a bias, and one of fewer bits."""
    net = QonnxNet([1, 6])
    x = net.dense(net.quant("x", 1.0, 6), 4, 6, 5, 1.0)
    x = net.quant(x, step, 16, mode=modes[0])
    x = net.node("Add", x, net.constant(np.array([0, bias, 0, 2], np.float32)))
    return net, net.quant(x, second, bits, mode=modes[1])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"modes": ("ROUND", "FLOOR")}, "its rounding is FLOOR"),
        ({"modes": ("ROUND", "UP")}, "rounding UP is not one of a shift"),
        ({"bias": 1.0}, "its bias is no 16-bit code of the first"),
        ({"bias": 2.0 * (1 << 15)}, "its bias is no 16-bit code of the first"),
        ({"second": 3.0}, "which is no power of two"),
        ({"second": 2.0**18}, "it takes a shift by 17"),
        ({"step": 0.5, "second": 4.0}, "finer than the sums"),
        ({"step": 0.3}, "65536 levels behind"),
    ],
    ids=str,
)
def test_second_stages_that_the_machine_lacks(options, reason):
    net, x = two_quantizers(**options)
    assert reason in refusal(net.model(x), "SL-Q104")


@pytest.mark.parametrize("factor", [-2.0, (2.0, 4.0, 2.0, 2.0)])
def test_factors_behind_the_first(factor):
    net = QonnxNet([1, 6])
    x = net.quant(net.dense(net.quant("x", 1.0, 6), 4, 6, 5, 1.0), 2.0, 16)
    x = net.node("Mul", x, net.constant(np.array(factor, np.float32)))
    assert "factors differ" in refusal(net.model(net.quant(x, 4.0, 8)), "SL-Q104")


def test_thresholds_behind_the_first():
    net = QonnxNet([1, 6])
    x = net.quant(net.dense(net.quant("x", 1.0, 6), 4, 6, 5, 1.0), 2.0, 16)
    x = net.custom("MultiThreshold", x, net.constant(np.array([[0.0, 3.0]], np.float32)))
    assert "thresholds compare sums" in refusal(net.model(x), "SL-Q104")


def test_codes_of_16_bits_that_a_layer_reads_are_refused_as_before():
    net = QonnxNet([1, 6])
    x = net.quant(net.dense(net.quant("x", 1.0, 6), 4, 6, 5, 1.0), 2.0, 16)
    x = net.quant(net.dense(x, 3, 4, 5, 1.0), 4.0, 8)
    assert "codes from -32768 to 32767" in refusal(net.model(x), "SL-Q114")


def test_sums_of_which_something_else_is_made_are_refused_as_before():
    net = QonnxNet([1, 6])
    x = net.quant(net.dense(net.quant("x", 1.0, 6), 4, 6, 5, 1.0), 2.0, 16)
    a = net.quant(net.node("Add", x, net.constant(np.array([0, 2, 0, 4], np.float32))), 4.0, 8)
    b = net.quant(x, 8.0, 8)
    model = net.model(net.node("Concat", a, b, axis=1))
    assert "codes from -32768 to 32767" in refusal(model, "SL-Q114")


def test_negative_codes_of_the_first_are_known():
    net, x = two_quantizers(bits=9)
    assert "codes from -256 to 255" in refusal(net.model(x), "SL-Q114")


def test_half_up_is_not_written():
    graph, _ = layer(shift=(2,), rounding=Rounding.HALF_UP, out_shift=1)
    with pytest.raises(Exception, match="two stages that round half up"):
        to_qonnx(graph)
