"""TopK and ArgMax at the end of a network, against ONNX's reference evaluator."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from shiftloom.quant.errors import ModelError, UnsupportedError
from shiftloom.quant.float_run import run_float
from shiftloom.quant.importer import import_onnx

SHAPE = (1, 3, 4)


def model(op, outputs, *, count=None, used=None, opset=17, **attributes):
    """Return a model of one operator on a tensor of ``SHAPE``."""
    inputs = ["x"] if count is None else ["x", "k"]
    node = helper.make_node(op, inputs, outputs, name="rank", **attributes)
    result = helper.make_tensor_value_info(used or outputs[-1], TensorProto.INT64, None)
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    kept = [] if count is None else [helper.make_tensor("k", TensorProto.INT64, [1], [count])]
    graph = helper.make_graph([node], "ranks", [source], [result], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize(
    ("op", "outputs", "used", "fields"),
    [
        ("TopK", ["v", "i"], "i", {"count": 2}),
        ("TopK", ["v", "i"], "v", {"count": 2, "axis": 1, "largest": 0}),
        ("TopK", ["v", "i"], "i", {"count": 4, "axis": 2, "opset": 13}),
        ("ArgMax", ["i"], "i", {"axis": 2}),
        ("ArgMax", ["i"], "i", {"axis": -2, "keepdims": 0}),
        ("ArgMax", ["i"], "i", {"axis": 2, "select_last_index": 1}),
    ],
)
def test_ranks_are_those_of_the_definition(op, outputs, used, fields):
    wanted = model(op, outputs, used=used, **fields)
    graph = import_onnx(wanted)
    x = np.random.default_rng(1).integers(0, 3, SHAPE).astype(np.float32)
    (found,) = run_float(graph, {"x": x}).values()
    (expected,) = ReferenceEvaluator(wanted).run([used], {"x": x})
    assert graph.shapes[used] == expected.shape
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"count": 5}, ModelError, r"TopK of \(5,\)\s+allowed: 1…4"),
        ({"count": 0}, ModelError, r"TopK of \(0,\)\s+allowed: 1…4"),
        ({"count": 1, "axis": 3}, ModelError, "axis 3 of 3 axes"),
        ({"count": 1, "opset": 9}, UnsupportedError, "TopK of operator set 9"),
        ({}, UnsupportedError, "TopK of operator set 17"),
    ],
)
def test_what_no_top_is(fields, error, message):
    with pytest.raises(error, match=message):
        import_onnx(model("TopK", ["v", "i"], **fields))
