"""The demo's own network: small, trained, and with something for each part of the machine."""

import numpy as np
import onnx
import pytest

from shiftloom.flow.demonstration import DEMO, _drawing
from shiftloom.flow.quantize import quantize
from shiftloom.flow.samples import read_samples
from shiftloom.quant.golden import predict

pytestmark = pytest.mark.filterwarnings("error")


def test_model_is_small_and_has_layers_of_each_kind():
    assert (DEMO / "digits.onnx").stat().st_size < 200_000
    model = onnx.load(DEMO / "digits.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert kinds >= {"Conv", "BatchNormalization", "Relu", "Add", "MaxPool", "GlobalAveragePool"}
    groups = [a.i for n in model.graph.node for a in n.attribute if a.name == "group"]
    assert max(groups) > 1
    assert [o.version for o in model.opset_import] == [17]


def test_integers_read_digits():
    graph = quantize(DEMO / "digits.onnx", DEMO / "calibration.npy")
    data = read_samples(DEMO / "digits.npz", ["image", "label"])
    digits = predict(graph, {"image": data["image"]})["digit"].argmax(1)
    assert len(digits) == 360
    assert (digits == data["label"]).mean() >= 0.97


def test_calibration_and_test_images_are_apart():
    calibration = read_samples(DEMO / "calibration.npy", ["image"])["image"]
    images = read_samples(DEMO / "digits.npz", ["image"])["image"]
    assert len(calibration) == 50
    assert not {image.tobytes() for image in calibration} & {image.tobytes() for image in images}


def test_drawing(monkeypatch):
    images = np.zeros((5, 1, 8, 8), np.float32)
    images[:, 0, 2, 3] = 1
    lines = _drawing(images, np.arange(5), np.array([0, 1, 2, 3, 7]))
    assert len(lines) == 2 * (8 + 2)
    assert lines[8].split("    ")[0] == "0: right        ".rstrip()
    assert lines[18] == "7: is a 4"
    assert lines[12] == " " * 6 + 2 * lines[12][-1]
