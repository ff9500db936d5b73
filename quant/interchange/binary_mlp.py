"""Import of trained binary perceptrons from arrays: packed weight bits and popcount thresholds.

The format is that of BNN-PYNQ's parameters as arrays (Umuroglu et al., FINN, FPGA 2017): layer
``i`` has ``weight{i}``, bits packed along the inputs, most significant first, ``shape{i}``, its
outputs and inputs, and ``threshold{i}``. With bits ``b`` for values ``2 b - 1``, an output bit is
``popcount(xnor(x, w)) > threshold``.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.requantize import Requantize
from ...isa.thresholds import Thresholds
from ..errors import ModelError
from ..graph import Conv, EdgeLayout, QuantGraph, TensorType
from .open_layer import Chain, OpenLayer, identity_layer, reach
from .reals import real_values
from .sums import Made, store_sums

__all__ = ["import_binary_mlp"]

Array = NDArray[Any]

#: An input bit is one from here on, of 0…255.
MIDDLE = 128

HALF = Fraction(1, 2)


def import_binary_mlp(
    arrays: Mapping[str, Array],
    image: tuple[int, ...] = (28, 28),
    classes: int = 10,
    *,
    name: str = "binary_mlp",
) -> QuantGraph:
    """Return a trained binary perceptron as a quantized graph.

    Parameters
    ----------
    arrays : mapping
        ``weight0``, ``shape0``, ``threshold0`` and so on.
    image : tuple of int
        Shape of the input: values 0…255, ones from 128 on. What the first layer has more inputs
        than that are zero bits.
    classes : int
        Outputs of the last layer that count: the largest of their popcounts is the class.
    name : str
        Of the network.

    Raises
    ------
    ModelError
        The arrays do not fit together.
    """
    layers = _layers(arrays)
    pixels = int(np.prod(image))
    made = Made()
    bits = TensorType(shape=(pixels, 1, 1), bits=2)
    made.tensors["image"] = TensorType(shape=(pixels, 1, 1), bits=8, signed=False)
    first = identity_layer("binarize", "image", made.tensors["image"])
    source = made.emit(replace(first, output="bits", thresholds=_signs([[MIDDLE]])), bits)
    for index, (weight, threshold) in enumerate(layers[:-1]):
        layer = _dense(f"dense{index}", source, weight, made.tensors[source].shape[0])
        places = 2 * (threshold.astype(np.int64).reshape(-1, 1) + 1) - weight.shape[1]
        tensor = replace(bits, shape=(len(weight), 1, 1))
        done = replace(layer, output=f"bits{index}", thresholds=_signs(places))
        source = made.emit(done, tensor)
    return _finish(made, name, image, source, layers[-1][0][:classes])


def _finish(
    made: Made, name: str, image: tuple[int, ...], source: str, weight: NDArray[np.int8]
) -> QuantGraph:
    """Add the last layer, whose popcounts are outputs."""
    classes, inputs = weight.shape
    conv = _dense("scores", source, weight, inputs)
    half = Chain.linear([HALF] * classes, [inputs * HALF] * classes)
    layer = OpenLayer(conv=conv, reach=reach(conv, made.tensors[source]), chain=half)
    shape = (classes, 1, 1)
    names = store_sums(made, layer, "scores", shape)
    edge = EdgeLayout(shape=(1, classes))
    made.nodes.append(real_values("popcounts", names, half, shape=shape, edge=edge))
    return QuantGraph(
        name=name,
        inputs=("image",),
        outputs=("popcounts",),
        tensors=made.tensors,
        nodes=tuple(made.nodes),
        edges={"image": EdgeLayout(shape=(1, *image)), "popcounts": edge},
    )


def _layers(arrays: Mapping[str, Array]) -> list[tuple[NDArray[np.int8], Array]]:
    """Return weights of -1 and 1, and thresholds, layer by layer."""
    layers: list[tuple[NDArray[np.int8], Array]] = []
    while f"weight{len(layers)}" in arrays:
        index = len(layers)
        names = [f"{kind}{index}" for kind in ("weight", "shape", "threshold")]
        if any(name not in arrays for name in names):
            raise ModelError("SL-Q110", f"only some of {', '.join(names)}", node=names[0])
        packed, shape, threshold = (arrays[name] for name in names)
        sizes = [int(size) for size in np.ravel(shape)] if shape.dtype.kind in "iu" else []
        outputs, inputs = sizes if len(sizes) == 2 else (0, 0)
        whole = threshold.dtype.kind in "iu" and threshold.size == outputs > 0
        fits = whole and packed.dtype == np.uint8 and packed.shape == (outputs, -(-inputs // 8))
        before = inputs if not layers else len(layers[-1][0])
        if not fits or before > inputs:
            raise ModelError(
                "SL-Q107",
                f"{packed.dtype} {packed.shape} and {threshold.size} thresholds for {shape}",
                node=names[0],
                allowed="one byte for 8 inputs, and the outputs of the layer before as inputs",
            )
        unpacked = np.unpackbits(packed, axis=1, bitorder="big")[:, :inputs]
        layers.append((2 * unpacked.astype(np.int8) - 1, threshold))
    if len(layers) < 2:
        raise ModelError("SL-Q110", "fewer than two layers", allowed="weight0, weight1, …")
    return layers


def _dense(name: str, source: str, weight: NDArray[np.int8], inputs: int) -> Conv:
    """Return a layer; inputs that the layer before lacks are constant -1, and become a bias."""
    if weight.shape[1] < inputs:
        raise ModelError("SL-Q107", f"{weight.shape[1]} inputs, not {inputs}", node=name)
    outputs = len(weight)
    return Conv(
        name=name,
        inputs=(source,),
        output=name,
        weight=np.ascontiguousarray(weight[:, :inputs]).reshape(outputs, inputs, 1, 1),
        weight_exponent=(0,),
        bias=-weight[:, inputs:].sum(axis=1, dtype=np.int32),
        mid_bias=np.zeros(outputs, np.int16),
        requantize=Requantize(),
    )


def _signs(places: Any) -> Thresholds:
    """Return thresholds that make -1 below a place, and 1 from it on."""
    values = np.clip(np.asarray(places, np.int64), -(1 << 31), (1 << 31) - 1).astype(np.int32)
    return Thresholds(values=np.repeat(values, 2, axis=1), low=-1)
