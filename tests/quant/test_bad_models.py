"""Damaged, hostile and unsupported models: one clear error each."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from shiftloom.quant.errors import CATALOGUE, ModelError
from shiftloom.quant.importer import import_onnx
from shiftloom.quant.model_file import tensor_array
from shiftloom.quant.quantize import quantize_model
from shiftloom.quant.transforms import prepare

from .builders import Net, small_net


def code_of(model, **options):
    with pytest.raises(ModelError) as error:
        import_onnx(model, **options)
    text = str(error.value)
    assert text.startswith(error.value.code)
    assert error.value.code in CATALOGUE
    return error.value.code


def test_missing_file(tmp_path):
    assert code_of(tmp_path / "no.onnx") == "SL-Q101"
    assert code_of(tmp_path) == "SL-Q101"


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x00" * 64, bytes(range(256)) * 40])
def test_files_that_are_not_models(data, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(data)
    assert code_of(tmp_path / "bad.onnx") == "SL-Q101"


def test_every_truncation_is_an_error_or_a_smaller_model(tmp_path):
    data = small_net().SerializeToString()
    path = tmp_path / "cut.onnx"
    for size in range(0, len(data) - 1, 97):
        path.write_bytes(data[:size])
        with pytest.raises(ModelError):
            import_onnx(path)


def test_random_damage_never_escapes_as_another_error(tmp_path):
    data = small_net().SerializeToString()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.onnx"
    for _ in range(1000):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            prepare(import_onnx(path))
        except ModelError:
            continue


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers(value):
    net = Net([1, 1, 4, 4])
    weight = np.ones((2, 1, 3, 3), np.float32)
    weight[1, 0, 2, 2] = value
    assert code_of(net.model(net.node("Conv", "x", net.constant(weight)))) == "SL-Q106"


@pytest.mark.parametrize("shape", [["n", 3, "h", 4], ["n", 3, None, 4]])
def test_dynamic_shapes(shape):
    net = Net(shape)
    assert code_of(net.model(net.node("Relu", "x"))) == "SL-Q107"


def test_input_type():
    net = Net([1, 3])
    net.inputs[0].type.tensor_type.elem_type = TensorProto.INT8
    assert code_of(net.model(net.node("Relu", "x"))) == "SL-Q108"


@pytest.mark.parametrize("opset", [1, 6, 99])
def test_operator_set(opset):
    assert code_of(small_net(opset)) == "SL-Q103"


def test_foreign_operators_and_control_flow():
    net = Net([1, 3, 4, 4])
    net.node("FloatQuant", "x", domain="qonnx.custom_op.general")
    assert code_of(net.model("t0")) == "SL-Q109"
    net = Net([1, 3, 4, 4])
    body = helper.make_graph([], "body", [], [])
    net.node("If", net.constant(np.array(True)), then_branch=body, else_branch=body)
    assert code_of(net.model("t0")) == "SL-Q109"


def test_graphs_that_are_not_in_order():
    net = Net([1, 3, 4, 4])
    assert code_of(net.model(net.node("Relu", "ghost"))) == "SL-Q110"
    net.node("Relu", "x", output="t0")
    net.nodes[0].input[0] = "x"
    assert code_of(net.model("t0")) == "SL-Q110"


@pytest.mark.parametrize(
    "attributes",
    [{"strides": [0, 1]}, {"pads": [-1, 0, 0, 0]}, {"group": 2}, {"dilations": [9, 9]}],
)
def test_impossible_convolutions(attributes):
    net = Net([1, 3, 8, 8])
    weight = net.constant(np.ones((2, 3, 3, 3), np.float32))
    assert code_of(net.model(net.node("Conv", "x", weight, **attributes))) == "SL-Q107"


def test_constants_that_would_fill_the_memory():
    net = Net([1, 3])
    shape = net.constant(np.array([1 << 20, 1 << 20]))
    assert code_of(net.model(net.node("ConstantOfShape", shape))) == "SL-Q112"
    huge = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 30, 1 << 30])
    with pytest.raises(ModelError, match="SL-Q112"):
        tensor_array(huge, None)


def external(tmp_path, location, **entries):
    """Return the path of a model whose weight lies in another file."""
    net = Net([1, 1, 4, 4])
    model = net.model(net.conv("x", 2, 1, bias=False))
    (tensor,) = model.graph.initializer
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    (folder / "weights.bin").write_bytes(bytes(8) + data)
    (tmp_path / "outside.bin").write_bytes(bytes(8) + data)
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    return folder / "net.onnx"


def test_external_data_beside_the_model(tmp_path):
    path = external(tmp_path, "weights.bin", offset=8, length=72)
    weight = import_onnx(path).nodes[0].weight
    assert np.array_equal(weight, Net([1]).rng.normal(0, 0.3, (2, 1, 3, 3)).astype(np.float32))


@pytest.mark.parametrize(
    ("location", "entries"),
    [
        ("../outside.bin", {"offset": 8}),
        ("/etc/passwd", {}),
        ("link.bin", {"offset": 8}),
        ("", {}),
        ("absent.bin", {}),
        ("weights.bin", {"offset": 16}),
        ("weights.bin", {"offset": -1}),
        ("weights.bin", {"offset": "9" * 40}),
        ("weights.bin", {"length": 71}),
    ],
)
def test_external_data_elsewhere_or_of_a_wrong_size(location, entries, tmp_path):
    assert code_of(external(tmp_path, location, **entries)) == "SL-Q102"


def test_external_data_without_a_folder(tmp_path):
    model = onnx.load(external(tmp_path, "weights.bin", offset=8), load_external_data=False)
    assert code_of(model) == "SL-Q102"


def qdq_net(scale, zero=0):
    net = Net([1, 2, 4, 4])
    terms = [net.constant(np.float32(scale)), net.constant(np.array(zero, np.int8))]
    codes = net.node("QuantizeLinear", "x", *terms)
    return net.model(net.conv(net.node("DequantizeLinear", codes, *terms), 2, 2))


def test_scales_and_zero_points():
    assert code_of(qdq_net(0.0173)) == "SL-Q104"
    assert code_of(qdq_net(-0.5)) == "SL-Q104"
    assert code_of(qdq_net(np.nan)) == "SL-Q104"
    assert code_of(qdq_net(0.5, zero=3)) == "SL-Q105"
    with pytest.raises(ModelError, match=r"nearest is 2\^-6"):
        import_onnx(qdq_net(0.0173))


def test_formats_that_no_shift_reaches():
    net = Net([1, 2, 4, 4])
    x = net.conv(net.quantized("x", -4), 2, 2)
    with pytest.raises(ModelError, match="SL-Q114"):
        quantize_model(net.model(net.quantized(x, 60)))
