"""The quantized graph: what quantization hands to the compiler.

Every tensor is a feature map of shape ``(channels, height, width)``, without the batch; vectors
are ``(channels, 1, 1)``. All values are integer codes times a power of two. A dense layer is a
convolution whose kernel covers its whole input.
"""

from dataclasses import dataclass, field
from itertools import pairwise, product
from operator import mul

import numpy as np
from numpy.typing import NDArray

from ..isa.requantize import Requantize
from ..isa.thresholds import Thresholds

__all__ = [
    "Add",
    "AveragePool",
    "Concat",
    "Conv",
    "EdgeLayout",
    "Host",
    "MaxPool",
    "Node",
    "Pad",
    "QuantGraph",
    "Slice",
    "TensorType",
]


@dataclass(frozen=True, kw_only=True)
class TensorType:
    """Shape and number format of a tensor: ``value = code * 2**exponent``.

    Parameters
    ----------
    shape : tuple of int
        ``(channels, height, width)``.
    bits : int
        Width of a code, 1…8; or 16 for what a convolution hands to an addition and nothing else,
        without ever being stored.
    signed : bool
        Two's complement, or unsigned.
    exponent : int
        Power of two of one code step.
    bipolar : tuple of int
        Positive and descending, for codes that are ``sum(±v)`` over these: ``(1,)`` for -1 and +1,
        two values for least-squares binary codes (LSBQ). Empty for ordinary codes.
    """

    shape: tuple[int, int, int]
    bits: int = 8
    signed: bool = True
    exponent: int = 0
    bipolar: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape must be three positive sizes, not {self.shape}")
        if self.bits not in (*range(1, 9), 16):
            raise ValueError(f"bits must be 1…8 or 16, not {self.bits}")
        steps = (*self.bipolar, 0)
        if any(a <= b for a, b in pairwise(steps)) or (
            self.bipolar and (not self.signed or sum(self.bipolar) > self.high)
        ):
            raise ValueError(
                f"bipolar must be positive, descending, and fit signed codes, not {self.bipolar}"
            )

    @property
    def levels(self) -> tuple[int, ...]:
        """Codes in the order of the bits that stand for them: of a bipolar code, one per value."""
        if self.bipolar:
            signs = product((-1, 1), repeat=len(self.bipolar))
            return tuple(sum(map(mul, self.bipolar, sign)) for sign in signs)
        half = 1 << (self.bits - 1)
        codes = range(1 << self.bits)
        return tuple(c - 2 * half if self.signed and c >= half else c for c in codes)

    @property
    def format(self) -> tuple[tuple[int, int, int], bool, tuple[int, ...]]:
        """Shape, signedness and, for codes that planes may hold, levels: what simulators need."""
        return self.shape, self.signed, self.levels if self.bits <= 8 or self.bipolar else ()

    @property
    def low(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operation.

    Parameters
    ----------
    name : str
        Unique in the graph; the name of the operator in the model where there is one.
    inputs : tuple of str
        Names of input tensors.
    output : str
        Name of the tensor it makes.
    """

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv(Node):
    """Convolution with bias and requantization; dense and depthwise layers too.

    ``acc = bias + sum(weight * input)`` exactly, then :func:`~shiftloom.isa.requantize.requantize`
    with ``mid_bias`` as its addend.

    Parameters
    ----------
    weight : int8 array
        ``(out_channels, in_channels / groups, kernel_height, kernel_width)``.
    weight_exponent : tuple of int
        Power of two of one weight step: one for the tensor, or one per output channel.
    bias : int32 array
        Per output channel, at the accumulator's exponent.
    mid_bias : int16 array
        Per output channel, added between the two stages; zeros in the one-stage form.
    stride, dilation : tuple of int
        ``(vertical, horizontal)``.
    padding : tuple of int
        Zeros around the input: ``(top, left, bottom, right)``.
    groups : int
        Equal to the channels on both sides for a depthwise layer.
    thresholds : Thresholds or None
        Takes the place of both stages of ``requantize``, which is then not looked at, and of
        ``mid_bias``: codes of up to 4 bits by comparison.
    """

    weight: NDArray[np.int8]
    weight_exponent: tuple[int, ...]
    bias: NDArray[np.int32]
    mid_bias: NDArray[np.int16]
    requantize: Requantize
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    thresholds: Thresholds | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Node):
    """Elementwise sum: ``requantize((a << shifts[0]) + (b << shifts[1]))``."""

    requantize: Requantize
    shifts: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(Node):
    """Maximum over a window; padding never wins. The output keeps the input's number format."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePool(Node):
    """``requantize(reciprocal * sum(window))``; padded places count as zero.

    Parameters
    ----------
    reciprocal : int
        Unsigned 8-bit code of one over the window's size; 1 for power-of-two windows, whose
        division is left to the shift.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    reciprocal: int
    requantize: Requantize
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Node):
    """Concatenation along channels of tensors of one number format."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(Node):
    """Zeros around a tensor: ``before`` and ``after`` are ``(channels, height, width)``."""

    before: tuple[int, int, int]
    after: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice(Node):
    """Strided slice: ``start``, ``stop``, ``step`` are ``(channels, height, width)``; step >= 1."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    step: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Host(Node):
    """An operator the machine lacks; the golden model runs it in float32 on the host.

    Inputs are dequantized; the output is a float tensor outside ``QuantGraph.tensors`` and can
    only feed other host nodes or graph outputs, unless ``requantized`` is set: then its values are
    rounded half to even to the output tensor's format and may feed hardware nodes.

    Parameters
    ----------
    op : str
        ONNX operator type.
    reason : str
        Why it does not run on the machine.
    model : bytes
        A one-node ONNX model that computes it, for the reference evaluator.
    requantized : bool
        Whether the output returns to codes.
    """

    op: str
    reason: str
    model: bytes
    requantized: bool = False


@dataclass(frozen=True, kw_only=True)
class EdgeLayout:
    """How a tensor of the user's model maps to a feature map: at inputs and outputs only.

    Parameters
    ----------
    shape : tuple of int
        The model's own shape, batch included as 1.
    permutation : tuple of int
        Axes of the model's tensor without its batch, in the order channels, height, width (then
        reshaped to the feature map's shape). Empty when a plain reshape does it.
    scale : float
        The model's values over those of the codes: not 1 only where a model prescribes a scale
        that is no power of two.
    """

    shape: tuple[int, ...]
    permutation: tuple[int, ...] = ()
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantGraph:
    """A quantized network.

    Parameters
    ----------
    name : str
        The model's name.
    inputs, outputs : tuple of str
        Tensor names, in the model's order.
    tensors : dict of str to TensorType
        Every tensor of codes.
    nodes : tuple of Node
        In topological order.
    edges : dict of str to EdgeLayout
        For each input and output.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: dict[str, TensorType]
    nodes: tuple[Node, ...]
    edges: dict[str, EdgeLayout] = field(default_factory=dict)
