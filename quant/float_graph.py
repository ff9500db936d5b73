"""The float graph: a model as imported, before it is quantized.

At first it follows the model tensor by tensor. :func:`~shiftloom.quant.feature_maps.feature_maps`
turns it into a graph whose tensors are all feature maps ``(1, channels, height, width)``, with the
model's own layouts kept in ``edges``. Transforms are functions from graph to graph.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import inf

import numpy as np
from numpy.typing import NDArray

from .graph import EdgeLayout
from .staircases import Rule

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Dense",
    "FloatGraph",
    "FloatNode",
    "Format",
    "Host",
    "MaxPool",
    "Pad",
    "Quantize",
    "Reshape",
    "Shuffle",
    "Slice",
    "Staircase",
    "Transpose",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A number format that the model itself prescribes.

    Parameters
    ----------
    bits : int
        Width of a code.
    signed : bool
        Two's complement, or unsigned.
    exponents : tuple of int
        Power of two of a code step: one for the tensor, or one per channel (weights).
    low, high : int
        Range of codes; narrower than ``bits`` allow where the model clips.
    """

    bits: int
    signed: bool
    exponents: tuple[int, ...]
    low: int
    high: int


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNode:
    """One operation, named as in the model."""

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv(FloatNode):
    """Convolution, bias, and a clamp to ``low … high`` (a ReLU, for example).

    ``weight`` is ``(out_channels, in_channels / groups, height, width)``; ``padding`` is
    ``(top, left, bottom, right)``. ``weight_step`` is what one integer step of the weights is
    worth, where a quantizer says so: one for the tensor, or one per output channel.
    """

    weight: Floats
    bias: Floats
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    low: float = -inf
    high: float = inf
    weight_format: Format | None = None
    weight_step: tuple[Fraction, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(FloatNode):
    """``input @ weight.T + bias`` along the last axis; ``weight`` is ``(outputs, inputs)``."""

    weight: Floats
    bias: Floats
    weight_format: Format | None = None
    weight_step: tuple[Fraction, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(FloatNode):
    """``input * scale + shift`` along one axis: batch norm and constant factors and terms."""

    scale: Floats
    shift: Floats
    axis: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip(FloatNode):
    """Clamp to ``low … high``; ReLU is ``0 … inf``."""

    low: float = -inf
    high: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(FloatNode):
    """Sum of two tensors, then a clamp."""

    low: float = -inf
    high: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(FloatNode):
    """Maximum over a window; padding never wins."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePool(FloatNode):
    """Mean over a window; padded places count as zeros, or not at all."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    include_padding: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(FloatNode):
    """Concatenation along an axis."""

    axis: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(FloatNode):
    """Zeros around a tensor: counts per axis; negative counts crop."""

    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice(FloatNode):
    """Strided slice per axis; steps are positive."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(FloatNode):
    """The same elements in another shape, which ``FloatGraph.shapes`` holds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Transpose(FloatNode):
    """Permuted axes."""

    permutation: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shuffle(FloatNode):
    """Reordered channels of a feature map: for each channel the one it comes from."""

    channels: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize(FloatNode):
    """Rounding to a number format and back: a pair of QuantizeLinear and DequantizeLinear."""

    format: Format


@dataclass(frozen=True, kw_only=True, eq=False)
class Staircase(FloatNode):
    """A quantizer with scales of its own: ``output = scale * rule(input)``.

    ``axis`` is that of the rule's channels, if it has several.
    """

    rule: Rule
    scale: Fraction
    axis: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Host(FloatNode):
    """An operator for the host: ``model`` is a small ONNX model that computes it."""

    op: str
    reason: str
    model: bytes
    requantized: bool = False
    keeps_format: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatGraph:
    """A float network.

    Parameters
    ----------
    name : str
        The model's name.
    inputs, outputs : tuple of str
        Tensor names, in the model's order.
    shapes : dict of str to tuple
        Shape of every tensor, batch included.
    nodes : tuple of FloatNode
        In topological order.
    formats : dict of str to Format
        Number formats that the model prescribes for activations.
    edges : dict of str to EdgeLayout
        For each input and output, once the tensors are feature maps.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    nodes: tuple[FloatNode, ...]
    formats: dict[str, Format] = field(default_factory=dict)
    edges: dict[str, EdgeLayout] = field(default_factory=dict)
