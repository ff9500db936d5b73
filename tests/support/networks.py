"""The three networks that every level must agree on, with real inputs in their own layout."""

import numpy as np

from shiftloom.quant.quantize import quantize_model
from tests.support.data import data_path

__all__ = ["NETWORKS", "quantized_network"]

NETWORKS = ("resnet8", "resnet20", "dscnn")

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def _images(part, count):
    with np.load(data_path("cifar10", f"{part}.npz")) as data:
        return data["images"][:count].astype(np.float32)


def _normalized(pixels):
    return ((pixels / 255 - MEAN) / DEVIATION).astype(np.float32).transpose(0, 3, 1, 2)


def _keywords():
    """Return the samples, and as many again with noise: there are only a dozen."""
    with np.load(data_path("models", "mlperf_tiny", "kws_samples.npz")) as data:
        samples = data[next(name for name in data if data[name].ndim > 1)].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.1 * samples.std(), samples.shape)
    return np.concatenate([samples, samples + noise.astype(np.float32)])


def quantized_network(name, samples):
    """Return a network, quantized with 50 calibration samples where there are so many, and inputs.

    Parameters
    ----------
    name : str
        One of ``NETWORKS``.
    samples : int
        Inputs to return, at most 24.
    """
    if name == "dscnn":
        inputs = _keywords()
        path = data_path("models", "mlperf_tiny", "dscnn_kws.onnx")
        return quantize_model(path, inputs), inputs[:samples]
    folder, encode = ("mlperf_tiny", lambda x: x)
    if name == "resnet20":
        folder, encode = ("resnet20_cifar10", _normalized)
    path = data_path("models", folder, f"{name}.onnx")
    return quantize_model(path, encode(_images("train", 50))), encode(_images("test", samples))
