"""Convolution by rows against convolution by columns, and memory that is used again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftloom.quant import golden, kernels, row_conv
from shiftloom.quant.buffers import SMALL, Buffers
from shiftloom.quant.export import load_graph, save_graph
from shiftloom.quant.golden_nodes import NodeRunner
from shiftloom.quant.quantize import quantize_model

from .builders import small_net


@st.composite
def cases(draw):
    groups, kernel = draw(st.integers(1, 2)), (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (1 if kernel[0] > 1 else 2, draw(st.integers(1, 3)))
    least = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    geometry = {
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "dilation": dilation,
        "padding": tuple(draw(st.integers(0, 6)) for _ in range(4)),
        "groups": groups,
    }
    depth, outputs, batch = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 9)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    size = [n + draw(st.integers(0, 9)) for n in least]
    x = rng.integers(-9, 9, (groups * depth, batch, *size)).astype(np.float32)
    weight = rng.integers(-9, 9, (groups * outputs, depth, *kernel)).astype(np.float32)
    return x, weight, geometry


@pytest.fixture(params=[False, True], ids=["whole", "in pieces"])
def pieces(request, monkeypatch):
    """Bands of four rows, and products as narrow as they get."""
    if request.param:
        monkeypatch.setattr(row_conv, "BAND", 1)
        monkeypatch.setattr(row_conv, "PRODUCT", 1)
        monkeypatch.setattr(row_conv, "LANES", 2)


@pytest.mark.usefixtures("pieces")
def test_rows_equal_columns():
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(cases())
    def check(case):
        x, weight, geometry = case
        expected = kernels.conv(x, weight, **geometry)
        matrix, kernel = row_conv.matrix_of(weight), weight.shape[2:]
        for source in (x, row_conv.row_order(x)):
            found = row_conv.conv(source, matrix, kernel=kernel, **geometry)
            assert np.array_equal(found, expected)

    check()


@pytest.mark.parametrize(("columns", "per_column", "width"), [(1024, 2304, 256), (50, 1 << 20, 50)])
def test_products_are_cut_to_equal_pieces_of_whole_registers(columns, per_column, width):
    assert row_conv._piece(columns, per_column) == width


def test_memory_returns_when_the_last_view_is_gone():
    buffers = Buffers()
    first = buffers.empty((SMALL, 2))
    view = first.T[1:]
    address = first.ctypes.data
    del first
    other = buffers.empty((SMALL,))
    assert not np.shares_memory(view, other)
    del view
    assert buffers.empty((2, SMALL)).ctypes.data == address
    assert buffers.empty((3, SMALL)).ctypes.data != address


def test_samples_do_not_depend_on_the_others(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (11, 3, 12, 12)).astype(np.float32)
    graph = quantize_model(small_net(), x)
    save_graph(graph, tmp_path / "net.q.onnx")
    graph = load_graph(tmp_path / "net.q.onnx")
    codes = golden.encode_input(graph, "x", x)
    alone = [golden.run(graph, {"x": codes[i : i + 1]}, keep=True) for i in range(len(x))]
    for limit in (1 << 19, 8 * 1152):  # in one block, and in several
        monkeypatch.setattr(golden, "BLOCK", limit)
        monkeypatch.setattr("shiftloom.quant.buffers.SMALL", 0)
        together = golden.run(graph, {"x": codes}, keep=True)
        assert together.keys() == alone[0].keys()
        for name, found in together.items():
            assert np.array_equal(found, np.concatenate([part[name] for part in alone])), name


def test_a_single_run_keeps_no_weights():
    x = np.zeros((1, 3, 12, 12), np.float32)
    graph = quantize_model(small_net(), x + np.linspace(-1, 1, 12, dtype=np.float32))
    maps = np.zeros((3, 1, 12, 12), np.float32)
    for again in (False, True):
        runner = NodeRunner(graph, again)
        runner(graph.nodes[0], [maps])
        assert bool(runner.kept) == again
