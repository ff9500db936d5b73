"""The ONNX operator tests, operator by operator; nothing is left out silently."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from shiftloom.quant.errors import UnsupportedError
from shiftloom.quant.float_graph import Host
from shiftloom.quant.float_run import run_float
from shiftloom.quant.importer import import_onnx
from tests.support.data import data_path, find_data

NAMES = """
    Add AveragePool BatchNormalization Clip Concat Conv Dropout Flatten Gemm GlobalAveragePool
    Identity MatMul MaxPool Pad Relu Reshape Slice Softmax Transpose
"""
OPERATORS = frozenset(NAMES.split())

#: Cases of listed operators that are refused, and a part of the reason that must be given.
REFUSED = {
    "test_add_int16": "INT16",
    "test_add_int8": "INT8",
    "test_add_uint16": "UINT16",
    "test_add_uint32": "UINT32",
    "test_add_uint64": "UINT64",
    "test_add_uint8": "UINT8",
    "test_clip_default_int8_inbounds": "INT8",
    "test_clip_default_int8_max": "INT8",
    "test_clip_default_int8_min": "INT8",
    "test_edge_pad": "INT32",
    "test_maxpool_2d_uint8": "UINT8",
    "test_maxpool_with_argmax_2d_precomputed_pads": "indices",
    "test_maxpool_with_argmax_2d_precomputed_strides": "indices",
    "test_reflect_pad": "INT32",
    "test_wrap_pad": "INT32",
}

#: Cases that run on the host, in the reference evaluator, and a part of the reason.
ON_HOST = {
    "test_averagepool_1d": "1-D",
    "test_averagepool_3d": "3-D",
    "test_constant_pad": "zeros",
    "test_gemm_default_matrix_bias": "matrix",
    "test_matmul_1d": "2-D",
    "test_matmul_3d": "2-D",
    "test_matmul_4d": "2-D",
    "test_matmul_bcast": "2-D",
    "test_maxpool_1d": "1-D",
    "test_maxpool_3d": "3-D",
    "test_softmax": "Softmax",
}


def cases() -> list[str]:
    folder = find_data() / "onnx_node_tests" / "node"
    models = sorted(folder.glob("*/model.onnx"))
    kept = [m for m in models if {n.op_type for n in onnx.load(m).graph.node} & OPERATORS]
    return [m.parent.name for m in kept] or ["absent"]


def values(path: Path) -> np.ndarray:
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


@pytest.mark.data
@pytest.mark.parametrize("case", cases())
def test_operator(case, record_property):
    folder = data_path("onnx_node_tests", "node") / case
    model = onnx.load(folder / "model.onnx")
    data = sorted(folder.glob("test_data_set_*"))[0]
    names = [value.name for value in model.graph.input]
    given = {n: values(data / f"input_{i}.pb") for i, n in enumerate(names)}
    free = len(names) if model.graph.node[0].op_type in ("Add", "Concat") else 1
    constants = {name: given[name] for name in names[free:]}
    if case in REFUSED:
        with pytest.raises(UnsupportedError, match=REFUSED[case]) as refusal:
            import_onnx(model, constants)
        record_property("refused", refusal.value.found)
        return
    graph = import_onnx(model, constants)
    found = run_float(graph, {name: given[name] for name in names[:free]})
    expected = values(data / "output_0.pb")
    (name,) = graph.outputs
    assert found[name].shape == expected.shape
    np.testing.assert_allclose(found[name], expected, rtol=1e-3, atol=1e-5)
    check_host(case, graph, record_property)


def check_host(case, graph, record_property):
    """Require that exactly the listed cases run on the host, each with its reason."""
    reasons = [node.reason for node in graph.nodes if isinstance(node, Host)]
    listed = [reason for prefix, reason in ON_HOST.items() if case.startswith(prefix)]
    assert bool(reasons) == bool(listed), reasons
    for reason in reasons:
        assert any(part in reason for part in listed)
        record_property("host", reason)


@pytest.mark.data
def test_what_is_not_native_is_listed(capsys):
    data_path("onnx_node_tests", "node")
    lines = [f"  {case}: refused, {reason}" for case, reason in REFUSED.items()]
    lines += [f"  {prefix}*: on the host, {reason}" for prefix, reason in ON_HOST.items()]
    unknown = set(REFUSED) - set(cases())
    assert not unknown
    with capsys.disabled():
        print(f"\n{len(cases())} operator tests; not native:", *lines, sep="\n")
