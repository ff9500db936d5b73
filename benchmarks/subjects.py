"""Networks to measure, quantized, each with inputs in its own layout."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shiftloom.isa.requantize import Requantize
from shiftloom.quant.graph import Conv, EdgeLayout, QuantGraph, TensorType
from shiftloom.quant.quantize import quantize_model

__all__ = [
    "NETWORKS",
    "MissingDataError",
    "Subject",
    "cifar_images",
    "cifar_labels",
    "convolution",
    "data_file",
    "normalized",
    "trained",
]

Array = NDArray[Any]

#: Trained networks below SHIFTLOOM_DATA.
NETWORKS = ("resnet8", "dscnn", "resnet20")

#: Images that set the scales of activations.
CALIBRATION = 50

_ROOT = Path(__file__).resolve().parents[1]
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class MissingDataError(LookupError):
    """Data that is not there; the message says where it is looked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What is measured.

    Parameters
    ----------
    graph : QuantGraph
        The quantized network.
    inputs : array
        Samples in the network's own layout, batch first.
    """

    graph: QuantGraph
    inputs: Array


def trained(name: str, samples: int = 1) -> Subject:
    """Return one of ``NETWORKS``; there are 2,000 samples of images and 12 of keywords.

    Raises
    ------
    MissingDataError
        SHIFTLOOM_DATA does not hold it.
    """
    if name == "dscnn":
        with np.load(data_file("models", "mlperf_tiny", "kws_samples.npz")) as data:
            calibration = inputs = data["features"].astype(np.float32)
        model = data_file("models", "mlperf_tiny", "dscnn_kws.onnx")
    elif name == "resnet8":
        model = data_file("models", "mlperf_tiny", "resnet8.onnx")
        calibration, inputs = cifar_images("train", CALIBRATION), cifar_images("test", samples)
    else:
        model = data_file("models", "resnet20_cifar10", "resnet20.onnx")
        calibration = normalized(cifar_images("train", CALIBRATION))
        inputs = normalized(cifar_images("test", samples))
    graph = quantize_model(model, calibration)
    return Subject(graph=graph, inputs=inputs[:samples])


def data_file(*parts: str) -> Path:
    """Return a file of the data."""
    folder = os.environ.get("SHIFTLOOM_DATA", _ROOT / ".." / "shared" / "data")
    path = Path(folder).joinpath(*parts)
    if not path.exists():
        raise MissingDataError(
            f"needs {'/'.join(parts)} below the folder that SHIFTLOOM_DATA names"
        )
    return path


def cifar_images(part: str, count: int) -> Array:
    """Return CIFAR-10 images ``(count, 32, 32, 3)``, values 0 to 255."""
    with np.load(data_file("cifar10", f"{part}.npz")) as data:
        return np.asarray(data["images"][:count], np.float32)


def cifar_labels(part: str, count: int) -> Array:
    """Return what the images of :func:`cifar_images` show."""
    with np.load(data_file("cifar10", f"{part}.npz")) as data:
        return np.asarray(data["labels"][:count])


def normalized(pixels: Array) -> Array:
    """Return images as ResNet-20 takes them."""
    return np.asarray(((pixels / 255 - _MEAN) / _DEVIATION).transpose(0, 3, 1, 2), np.float32)


def convolution(channels: int, size: int, seed: int = 0) -> Subject:
    """Return a 3x3 convolution, padded by 1, with random weights and one random sample.

    Parameters
    ----------
    channels : int
        On both sides.
    size : int
        Rows and columns of the feature maps.
    seed : int
        Of everything random.
    """
    rng = np.random.default_rng(seed)
    tensors = {name: TensorType(shape=(channels, size, size)) for name in ("x", "y")}
    node = Conv(
        name=f"conv3x3_{channels}",
        inputs=("x",),
        output="y",
        weight=rng.integers(-128, 127, (channels, channels, 3, 3), np.int8, endpoint=True),
        weight_exponent=(0,),
        bias=rng.integers(-(1 << 12), 1 << 12, channels, np.int32),
        mid_bias=np.zeros(channels, np.int16),
        requantize=Requantize(shift=(8 + channels.bit_length() // 2,)),
        padding=(1, 1, 1, 1),
    )
    graph = QuantGraph(
        name=node.name,
        inputs=("x",),
        outputs=("y",),
        tensors=tensors,
        nodes=(node,),
        edges={name: EdgeLayout(shape=(1, *tensor.shape)) for name, tensor in tensors.items()},
    )
    codes = rng.integers(-128, 127, (1, channels, size, size), endpoint=True)
    return Subject(graph=graph, inputs=codes)
