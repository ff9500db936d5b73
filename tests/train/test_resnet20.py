"""ResNet-20, trained a little with TQT: onnxruntime makes the same of the exported file."""

import pytest

import shiftloom as sl
from benchmarks.subjects import cifar_images, cifar_labels, normalized
from shiftloom.quant.recipe import recipe_for
from tests.support.data import data_path
from tests.support.onnx_check import assert_onnxruntime_agrees

pytest.importorskip("torch", reason="training needs PyTorch: pip install 'shiftloom[train]'")


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("bits", ["W8A8", "W4A8"])
def test_onnxruntime_gets_the_same_integers_after_training(bits, tmp_path):
    model = data_path("models", "resnet20_cifar10", "resnet20.onnx")
    graph = sl.quantize(
        model,
        normalized(cifar_images("train", 50)),
        bits=bits,
        train=normalized(cifar_images("train", 640)),
        labels=cifar_labels("train", 640),
        recipe=recipe_for("tqt", epochs=1),
    )
    inputs = normalized(cifar_images("test", 200))
    assert_onnxruntime_agrees(graph, inputs, tmp_path / "trained.q.onnx")
