"""What cannot be made exactly is refused: the node, the reason and what helps."""

import numpy as np
import pytest

from shiftloom.quant.check import check
from shiftloom.quant.errors import ModelError, QuantizationWarning
from shiftloom.quant.graph import Conv
from shiftloom.quant.quantize import quantize_model

from .nets import QonnxNet


def refusal(model, code):
    """Return the error of an import, which has a place and says what would be right."""
    with pytest.raises(ModelError) as error:
        quantize_model(model)
    assert error.value.code == code, error.value
    assert error.value.node
    assert error.value.allowed or error.value.fix
    assert any(finding.fate == "refused" for finding in check(model))
    return str(error.value)


def dense_net(**scales):
    """Return a net, a first quantized dense layer, and its output."""
    net = QonnxNet([1, 6])
    return net, net.dense(net.quant("x", 0.5, 6), 4, 6, 5, **scales)


def test_eight_bits_behind_a_batch_norm():
    net, x = dense_net()
    last = net.quant(net.batch_norm(x, 4), 0.1, 8)
    text = refusal(net.model(last), "SL-Q104")
    assert "256 levels behind MatMul" in text
    assert "no power of two" in text
    assert f"Quant_{last}" in text


@pytest.mark.parametrize("mode", ["CEIL", "UP", "DOWN", "HALF_DOWN"])
def test_roundings_without_a_shift(mode):
    net, x = dense_net(scale=0.25)
    text = refusal(net.model(net.quant(x, 4.0, 7, mode=mode)), "SL-Q104")
    assert mode in text


def test_biases_that_eight_bit_weights_cannot_take():
    net = QonnxNet([1, 6])
    x = net.dense(net.quant("x", 1.0, 6), 4, 6, 8, 1.0)
    x = net.node("Add", x, net.constant(np.array([0, 0.3, 0.5, 1], np.float32)))
    assert "leave no room" in refusal(net.model(net.quant(x, 4.0, 8)), "SL-Q104")


def test_layers_without_quantizers():
    net, x = dense_net()
    text = refusal(net.model(net.quant(net.dense(x, 3, 4, 4), 0.3, 4)), "SL-Q109")
    assert "has no quantizer" in text
    net, x = dense_net()
    weight = net.constant(np.full((4, 3), 0.3, np.float32) + np.eye(4, 3, dtype=np.float32) / 7)
    x = net.node("MatMul", net.quant(x, 0.3, 4), weight)
    assert "not quantized" in refusal(net.model(net.quant(x, 1.0, 4)), "SL-Q104")


def test_weights_that_are_too_wide_or_vary_along_the_inputs():
    net = QonnxNet([1, 6])
    text = refusal(
        net.model(net.quant(net.dense(net.quant("x", 1.0, 4), 3, 6, 9), 1.0, 4)), "SL-Q114"
    )
    assert "-128 to 127" in text
    net = QonnxNet([1, 3, 4, 4])
    x = net.quant("x", 1.0, 4)
    weight = net.weights((4, 3, 1, 1), 4, np.array([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1))
    refusal(net.model(net.quant(net.node("Conv", x, weight), 1.0, 4)), "SL-Q104")


def test_minus_128_in_a_channel_that_is_negated():
    net = QonnxNet([1, 2])
    weight = net.constant(np.array([[-128.0], [3.0]], np.float32))
    x = net.node("Mul", net.node("MatMul", net.quant("x", 1.0, 4), weight), net.scalar(-0.3))
    assert "narrow" in refusal(net.model(net.quant(x, 1.0, 3)), "SL-Q114")


def test_terms_of_different_scales():
    net = QonnxNet([1, 3, 2, 2])
    x = net.quant("x", 0.25, 4)
    y = net.quant(net.quantized_conv(x, (3, 3, 1, 1), 2), 0.3, 4)
    last = net.quant(net.node("Add", x, y), 0.3, 4)
    assert "0.25 and 0.3" in refusal(net.model(last), "SL-Q104")
    net.nodes.pop()
    net.nodes.pop()
    last = net.quant(net.quantized_conv(net.node("Concat", x, y, axis=1), (2, 6, 1, 1)), 0.3, 4)
    assert "0.25, 0.3" in refusal(net.model(last), "SL-Q104")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scale": np.array([0.1, 0.2, 0.3, 0.4])}, "SL-Q104"),
        ({"scale": -0.5}, "SL-Q104"),
        ({"scale": np.inf}, "SL-Q104"),
        ({"scale": 0.0}, "SL-Q104"),
        ({"zero": 0.5}, "SL-Q105"),
        ({"bits": 0}, "SL-Q114"),
        ({"bits": 17}, "SL-Q114"),
        ({"bits": 2.5}, "SL-Q105"),
        ({"mode": "STOCHASTIC"}, "SL-Q109"),
        ({"signed": None}, "SL-Q110"),
        ({"narrow": None}, "SL-Q110"),
    ],
)
def test_parameters_of_quant(change, code):
    net, x = dense_net()
    terms = {"scale": 0.3, "bits": 4, **change}
    absent = [name for name in ("signed", "narrow") if terms.get(name, 0) is None]
    last = net.quant(x, **{k: v for k, v in terms.items() if k not in absent})
    kept = [a for a in net.nodes[-1].attribute if a.name not in absent]
    del net.nodes[-1].attribute[:]
    net.nodes[-1].attribute.extend(kept)
    refusal(net.model(last), code)


@pytest.mark.parametrize(
    ("values", "attributes", "code"),
    [
        (np.zeros((4, 16)), {}, "SL-Q114"),
        (np.zeros((4, 3)), {"out_scale": -1.0}, "SL-Q114"),
        (np.zeros((4, 3)), {"out_scale": 1.0, "out_bias": 0.01}, "SL-Q114"),
        (np.zeros((3, 3)), {}, "SL-Q107"),
        (np.zeros(3), {}, "SL-Q107"),
        (np.full((4, 3), np.nan), {}, "SL-Q107"),
    ],
)
def test_parameters_of_multi_threshold(values, attributes, code):
    net, x = dense_net()
    bank = net.constant(values.astype(np.float32))
    refusal(net.model(net.custom("MultiThreshold", x, bank, out_dtype="INT4", **attributes)), code)


def test_zero_points_of_weights_and_bipolar_codes():
    net = QonnxNet([1, 2])
    weight = net.quant(net.constant(np.ones((2, 3), np.float32)), 1.0, 4, zero=1)
    x = net.node("MatMul", net.quant("x", 1.0, 4), weight)
    assert "symmetrically" in refusal(net.model(net.quant(x, 1.0, 4)), "SL-Q105")
    net, x = dense_net()
    refusal(net.model(net.quant(x, 1.0, 1, zero=1)), "SL-Q105")


def test_host_operators_between_quantizers():
    net, x = dense_net()
    x = net.quant(net.node("Sigmoid", net.quant(x, 0.3, 4)), 0.1, 4)
    text = refusal(net.model(net.quant(net.dense(x, 3, 4, 3), 0.5, 4)), "SL-Q109")
    assert "Sigmoid" in text


def test_inputs_of_many_levels_behind_a_normalization():
    net = QonnxNet([1, 6])
    x = net.quant(net.node("Sub", "x", net.scalar(0.3)), 2.0**-7, 8)
    text = refusal(net.model(net.quant(net.dense(x, 4, 6), 0.3, 4)), "SL-Q104")
    assert "normalization" in text


def test_an_input_without_quantizer_takes_its_step_from_samples():
    net = QonnxNet([1, 6])
    model = net.model(net.quant(net.dense("x", 4, 6, 4, 0.25), 0.3, 4))
    with pytest.warns(QuantizationWarning, match="does not quantize its input x"):
        quantize_model(model)
    graph = quantize_model(model, np.full((3, 6), 0.9, np.float32))
    assert (graph.tensors["x"].exponent, graph.tensors["x"].signed) == (-8, False)
    assert isinstance(graph.nodes[0], Conv)
    with pytest.raises(ModelError, match="SL-Q111"):
        quantize_model(model, np.full((3, 6), np.nan, np.float32))


def test_odd_zero_points_of_many_levels():
    net, x = dense_net(scale=0.25)
    assert "zero point 3" in refusal(net.model(net.quant(x, 4.0, 7, zero=3)), "SL-Q104")


def test_negative_factors_behind_a_pool():
    net = QonnxNet([1, 3, 4, 4])
    x = net.quantized_conv(net.quant("x", 1.0, 4), (8, 3, 1, 1), 3)
    x = net.batch_norm(net.node("MaxPool", x, kernel_shape=[2, 2]), 8)
    assert "before the pool" in refusal(net.model(net.quant(x, 0.3, 3)), "SL-Q109")


def test_factors_that_overflow():
    net, x = dense_net()
    last = net.quant(net.node("Div", x, net.scalar(1e-40)), 0.3, 4)
    with np.errstate(all="ignore"):
        refusal(net.model(last), "SL-Q106")
