"""Golden execution against integer loops and against the definition of requantization."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftloom.isa.requantize import Requantize, Rounding, requantize
from shiftloom.isa.thresholds import Thresholds
from shiftloom.quant import golden
from shiftloom.quant.conv_sums import ConvSums
from shiftloom.quant.errors import ModelError
from shiftloom.quant.golden_ops import requantize_exact
from shiftloom.quant.graph import (
    Add,
    AveragePool,
    Concat,
    EdgeLayout,
    MaxPool,
    Pad,
    QuantGraph,
    Slice,
    TensorType,
)
from shiftloom.quant.store import from_description, to_description

from .builders import conv_graph, one_layer


def naive_conv(x, node):
    """Return accumulators of one image by loops over Python integers."""
    top, left, bottom, right = node.padding
    padded = np.pad(x.astype(object), [(0, 0), (top, bottom), (left, right)])
    outputs, depth, rows, columns = node.weight.shape
    per_group = outputs // node.groups
    height = (padded.shape[1] - node.dilation[0] * (rows - 1) - 1) // node.stride[0] + 1
    width = (padded.shape[2] - node.dilation[1] * (columns - 1) - 1) // node.stride[1] + 1
    acc = np.zeros((outputs, height, width), dtype=object)
    for o, i, j in product(range(outputs), range(height), range(width)):
        total = int(node.bias[o])
        for c, r, s in product(range(depth), range(rows), range(columns)):
            channel = o // per_group * depth + c
            y = i * node.stride[0] + r * node.dilation[0]
            z = j * node.stride[1] + s * node.dilation[1]
            total += int(node.weight[o, c, r, s]) * int(padded[channel, y, z])
        acc[o, i, j] = total
    return acc.astype(np.int64)


@st.composite
def conv_cases(draw):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    depth, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    size = [
        d * (k - 1) + 1 + draw(st.integers(0, 3)) for k, d in zip(kernel, dilation, strict=True)
    ]
    fields = {
        "groups": groups,
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "dilation": dilation,
        "padding": tuple(draw(st.integers(0, 2)) for _ in range(4)),
    }
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    weight = rng.integers(-128, 128, (groups * per_group, depth, *kernel)).astype(np.int8)
    source = TensorType(shape=(groups * depth, *size), signed=draw(st.booleans()))
    bias = rng.integers(-(1 << 20), 1 << 20, groups * per_group).astype(np.int32)
    batch = draw(st.sampled_from([1, 2, 5]))  # a few samples lie in memory otherwise than many
    codes = rng.integers(source.low, source.high + 1, (batch, *source.shape))
    shift = tuple(draw(st.integers(0, 16)) for _ in range(draw(st.sampled_from([1, len(weight)]))))
    params = Requantize(
        shift=shift,
        rounding=draw(st.sampled_from(list(Rounding))),
        out_shift=draw(st.integers(-3, 3)),
    )
    mid = rng.integers(-300, 300, len(weight)).astype(np.int16)
    return weight, source, codes, {**fields, "bias": bias, "requantize": params, "mid_bias": mid}


@settings(max_examples=90, deadline=None)
@given(conv_cases())
def test_convolution_equals_integer_loops(case):
    weight, source, codes, fields = case
    graph = conv_graph(weight, source, (1, 1, 1), **fields)
    (node,) = graph.nodes
    found = golden.run(graph, {"x": codes})["y"]
    for image, result in zip(codes, found, strict=True):
        acc = naive_conv(image, node)
        expected = requantize(
            acc,
            node.requantize,
            addend=node.mid_bias.astype(np.int64)[:, None, None],
            channel_axis=0,
        )
        assert np.array_equal(result, expected)


@pytest.mark.parametrize("channels", [64, 90, 700, 3000])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("batch", [1, 5])
def test_largest_sums_are_exact(channels, groups, batch):
    rng = np.random.default_rng(channels)
    weight = rng.integers(101, 128, (4, channels // groups, 3, 3)).astype(np.int8)
    weight[1::2] *= -1
    source = TensorType(shape=(channels, 3, 3), signed=False)
    codes = rng.integers(200, 256, (1, *source.shape))
    acc = np.einsum(
        "gocij,gcij->go",
        weight.reshape(groups, -1, channels // groups, 3, 3).astype(np.int64),
        codes.reshape(groups, -1, 3, 3),
    ).ravel()
    bias = (-acc + np.arange(-2, 2)).astype(np.int32)
    graph = conv_graph(weight, source, (4, 1, 1), bias=bias, groups=groups)
    found = golden.run(graph, {"x": np.repeat(codes, batch, axis=0)})["y"]
    assert found.reshape(batch, -1).tolist() == [[-2, -1, 0, 1]] * batch


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize(("channels", "bias"), [(500, 500 * 127 * 255 + 1), (601, 0)])
def test_odd_sums_beyond_float32_are_exact(channels, bias, batch):
    weight = np.full((1, channels, 1, 1), 127, np.int8)
    source = TensorType(shape=(channels, 1, 1), signed=False)
    graph = conv_graph(weight, source, (1, 1, 1), bias=np.array([bias], np.int32))
    sums = ConvSums(graph.nodes[0], 255, np.array([0.5]))
    found = sums(np.full((channels, batch, 1, 1), 255, np.float32))
    assert (found.astype(np.float64) * 2 == channels * 127 * 255 + bias).all()


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("channels", [3, 700])
def test_thresholds_compare_the_exact_sums(channels, batch):
    rng = np.random.default_rng(channels)
    weight = rng.integers(-128, 128, (6, channels, 2, 2)).astype(np.int8)
    source = TensorType(shape=(channels, 3, 3), signed=False)
    codes = rng.integers(0, 256, (batch, *source.shape))
    windows = np.lib.stride_tricks.sliding_window_view(codes, (2, 2), axis=(2, 3))
    acc = np.einsum("ncyxij,ocij->noyx", windows, weight.astype(np.int64)) + 7
    values = np.sort(rng.choice(acc.ravel(), (6, 15)), axis=1).astype(np.int32)  # met exactly
    values[:, -1], values[0, 0] = 2**31 - 1, -(2**31)
    bank = Thresholds(values=values, low=-3)
    bias = np.full(6, 7, np.int32)
    graph = conv_graph(weight, source, (6, 2, 2), bias=bias, thresholds=bank)
    found = golden.run(graph, {"x": codes})["y"]
    reached = acc[..., None] >= values[None, :, None, None]
    assert np.array_equal(found, reached.sum(axis=-1) - 3)
    stored = from_description(*to_description(graph))
    assert np.array_equal(golden.run(stored, {"x": codes})["y"], found)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("out_shift", range(-3, 3))
@pytest.mark.parametrize("clamps", [(-5, 9, -20, 20), (-20, 20, -5, 9), (3, 9, -7, -1)])
def test_both_clamps_hold(rounding, out_shift, clamps):
    low, high, out_low, out_high = clamps
    params = Requantize(
        shift=(1,),
        rounding=rounding,
        out_shift=out_shift,
        low=low,
        high=high,
        out_low=out_low,
        out_high=out_high,
    )
    acc = np.arange(-60, 61).reshape(1, -1, 1, 1)
    found = requantize_exact(acc.astype(np.float32), params)
    assert np.array_equal(found, requantize(acc, params, channel_axis=0))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=1, max_size=20),
    st.integers(0, 31),
    st.sampled_from(list(Rounding)),
    st.integers(-8, 15),
    st.integers(-(1 << 15), (1 << 15) - 1),
)
def test_requantization_in_floats_is_the_definition(values, shift, rounding, out_shift, addend):
    params = Requantize(shift=(shift,), rounding=rounding, out_shift=out_shift)
    acc = np.array(values, np.int64).reshape(1, -1, 1, 1)
    expected = requantize(acc, params, addend=addend, channel_axis=0)
    found = requantize_exact(acc.astype(np.float64), params, addend)
    assert np.array_equal(found, expected)
    small = acc >> 8
    expected = requantize(small, params, addend=addend, channel_axis=0)
    assert np.array_equal(requantize_exact(small.astype(np.float32), params, addend), expected)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize("out_shift", range(-2, 4))
def test_ties_round_as_defined(rounding, shift, out_shift):
    params = Requantize(shift=(shift,), rounding=rounding, out_shift=out_shift)
    acc = np.arange(-130, 131).reshape(1, -1, 1, 1)
    for addend in (0, 3):
        expected = requantize(acc, params, addend=addend, channel_axis=0)
        found = requantize_exact(acc.astype(np.float32), params, addend)
        assert np.array_equal(found, expected)


def test_addition_aligns_by_left_shifts():
    source = TensorType(shape=(2, 1, 2))
    node = Add(
        name="add", inputs=("a", "b"), output="y", shifts=(1, 0), requantize=Requantize(shift=(1,))
    )
    graph = one_layer(node, source, source)
    a = np.array([[[[1, -3]], [[127, -128]]]])
    b = np.array([[[[1, 0]], [[127, -128]]]])
    found = golden.run(graph, {"a": a, "b": b})["y"]
    assert found.ravel().tolist() == [2, -3, 127, -128]  # 3/2, -6/2, 381/2, -384/2


def test_max_pool_ignores_padding():
    source = TensorType(shape=(1, 2, 2))
    node = MaxPool(
        name="p", inputs=("x",), output="y", kernel=(2, 2), stride=(2, 2), padding=(1, 1, 1, 1)
    )
    graph = one_layer(node, source, source)
    found = golden.run(graph, {"x": np.array([[[[-5, -6], [-7, -8]]]])})["y"]
    assert found.ravel().tolist() == [-5, -6, -7, -8]


def test_average_pool_rounds_down_and_counts_padding():
    source = TensorType(shape=(1, 2, 2))
    params = Requantize(shift=(2,), rounding=Rounding.FLOOR)
    node = AveragePool(
        name="p",
        inputs=("x",),
        output="y",
        kernel=(2, 2),
        stride=(1, 1),
        reciprocal=1,
        requantize=params,
        padding=(0, 0, 0, 1),
    )
    graph = one_layer(node, source, source)
    found = golden.run(graph, {"x": np.array([[[[-1, -1], [-1, 2]]]])})["y"]
    assert found.ravel().tolist() == [-1, 0]  # -1/4, (-1 + 2)/4


def test_data_movement():
    codes = np.arange(12).reshape(1, 2, 2, 3)
    source = TensorType(shape=(2, 2, 3))
    pad = Pad(name="p", inputs=("x",), output="y", before=(1, 0, 1), after=(0, 1, 0))
    found = golden.run(one_layer(pad, source, source), {"x": codes})["y"]
    assert np.array_equal(found, np.pad(codes, [(0, 0), (1, 0), (0, 1), (1, 0)]))
    cut = Slice(
        name="s", inputs=("x",), output="y", start=(1, 0, 0), stop=(2, 2, 3), step=(1, 1, 2)
    )
    found = golden.run(one_layer(cut, source, source), {"x": codes})["y"]
    assert np.array_equal(found, codes[:, 1:2, :, ::2])
    join = Concat(name="c", inputs=("x", "x"), output="y")
    found = golden.run(one_layer(join, source, source), {"x": codes})["y"]
    assert np.array_equal(found, np.concatenate([codes, codes], axis=1))


def test_batches_do_not_depend_on_their_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (3, 2, 3, 3)).astype(np.int8)
    graph = conv_graph(weight, TensorType(shape=(2, 5, 5)), (3, 3, 3))
    codes = rng.integers(-128, 128, (7, 2, 5, 5))
    whole = golden.run(graph, {"x": codes}, keep=True)
    monkeypatch.setattr(golden, "BLOCK", 1)
    parts = golden.run(graph, {"x": codes}, keep=True)
    assert set(whole) == {"x", "y"}
    assert np.array_equal(whole["x"], codes)
    assert np.array_equal(whole["y"], parts["y"])


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (np.zeros((1, 2, 5, 4), int), "shape"),
        (np.zeros((1, 2, 5, 5)), "float64"),
        (np.full((1, 2, 5, 5), 128), "128"),
    ],
)
def test_wrong_inputs_are_refused(codes, found):
    graph = conv_graph(np.ones((1, 2, 1, 1), np.int8), TensorType(shape=(2, 5, 5)), (1, 5, 5))
    with pytest.raises(ModelError, match=found):
        golden.run(graph, {"x": codes})
    with pytest.raises(ModelError, match="no codes"):
        golden.run(graph, {})


def test_inputs_are_encoded_in_the_models_layout():
    graph = conv_graph(np.ones((1, 2, 1, 1), np.int8), TensorType(shape=(2, 1, 3)), (1, 1, 3))
    edges = {"x": EdgeLayout(shape=(1, 1, 3, 2), permutation=(2, 0, 1)), "y": graph.edges["y"]}
    turned = QuantGraph(
        name="t",
        inputs=("x",),
        outputs=("y",),
        tensors={**graph.tensors, "x": TensorType(shape=(2, 1, 3), exponent=-1)},
        nodes=graph.nodes,
        edges=edges,
    )
    values = np.array([0.25, 0.75, 1, 1.25, 100, -100]).reshape(1, 1, 3, 2)
    codes = golden.encode_input(turned, "x", values)
    assert codes.tolist() == [[[[0, 2, 127]], [[2, 2, -128]]]]  # ties to even, saturated
    with pytest.raises(ModelError, match="NaN"):
        golden.encode_input(turned, "x", np.full((1, 1, 3, 2), np.nan))
