"""What a network is made of once each layer has its engine: operations on feature maps.

A *map* is storage in blocks of ``columns`` channels, see :mod:`shiftloom.isa.layout`; a *view* is
a range of its blocks. Concatenation and slicing along whole blocks are views, and cost nothing.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..isa.instructions import VectorOperation
from ..isa.requantize import Requantize
from ..isa.thresholds import Thresholds, threshold_bits
from .bit_source import BitSource

__all__ = ["PARTS", "ArrayOp", "Map", "Op", "Residual", "Source", "VectorOp", "View", "Window"]

Codes = NDArray[np.int64]

#: Channel blocks whose bits share a word.
PARTS = 8


@dataclass(frozen=True, kw_only=True)
class Map:
    """Storage of a feature map, or of several side by side.

    Parameters
    ----------
    name : str
        The tensor it was made for.
    channels, height, width : int
        Its size.
    signed : bool
        Two's complement codes, or unsigned.
    folded : bool
        Layout of a row: pixels' bytes one after the other, see :mod:`shiftloom.isa.layout`.
    unroll : tuple of int
        Kernel rows, stride, dilation and padding of an input whose kernel rows are channels here:
        see :class:`~shiftloom.isa.program.Place`.
    planes : int
        Bit-planes, if codes are stored bit by bit; ``channels`` then counts ``columns`` for each
        word of a pixel: those of a plane's ``lane_blocks``, plane after plane.
    """

    name: str
    channels: int
    height: int
    width: int
    signed: bool
    folded: bool = False
    unroll: tuple[int, ...] = ()
    planes: int = 0
    lane_blocks: int = 0


@dataclass(frozen=True, kw_only=True)
class View:
    """Channels ``block * columns … block * columns + channels - 1`` of a map."""

    map: Map
    block: int
    channels: int

    def blocks(self, columns: int) -> int:
        """Return the blocks of ``columns`` channels that it covers."""
        return -(-self.channels // columns)


@dataclass(frozen=True, kw_only=True)
class Window:
    """How a kernel moves over the input.

    Parameters
    ----------
    kernel, stride, dilation : tuple of int
        ``(vertical, horizontal)``.
    origin : tuple of int
        Position of the first kernel element for output (0, 0): minus the padding at the top and
        left; positions outside the input count as padding.
    """

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    origin: tuple[int, int] = (0, 0)

    def turned(self) -> "Window":
        """Return the window with its axes exchanged."""
        values = {n: getattr(self, n)[::-1] for n in ("kernel", "stride", "dilation", "origin")}
        return replace(self, **values)

    def rows(self, first: int, count: int, height: int) -> tuple[int, int]:
        """Return the input rows ``start, stop`` inside that output rows need; never empty."""
        start = first * self.stride[0] + self.origin[0]
        reach = (count - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0]
        low = min(max(start, 0), height - 1)
        return low, min(max(start + reach + 1, low + 1), height)


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A second operand: its codes, shifted left, are added between the two stages."""

    tensor: str
    view: View
    shift: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """One input of an array operation, with weights ``(outputs, channels, height, width)``.

    ``bits`` says how the bit array takes it, where it is stored as planes.
    """

    tensor: str
    view: View
    weight: NDArray[np.int8]
    bits: BitSource | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Op(ABC):
    """What both engines share.

    Parameters
    ----------
    name : str
        Of the layer.
    operator : str
        What it is, for people.
    tensor : str
        The tensor it makes; ``out`` is where.
    height, width : int
        Size of the output.
    window : Window
        The kernel's way.
    bias, mid_bias : int64 array
        Per output channel.
    requantize : Requantize
        Both stages.
    thresholds : Thresholds or None
        Takes the place of both stages; there is no residual beside it.
    residual : Residual or None
        Second operand.
    macs : int
        Multiply-accumulates by the layer's definition.
    choice : tuple of int
        Where either array could take it: predicted cycles on the array and on the bit array.
    """

    name: str
    operator: str
    tensor: str
    out: View
    height: int
    width: int
    bias: Codes
    mid_bias: Codes
    requantize: Requantize
    window: Window = field(default_factory=Window)
    thresholds: Thresholds | None = None
    residual: Residual | None = None
    macs: int = 0
    choice: tuple[int, ...] = ()

    @property
    def threshold_bits(self) -> int:
        """Width of the codes that thresholds make; 0 without them."""
        return threshold_bits(self.thresholds.values.shape[1]) if self.thresholds else 0

    @property
    def threshold_words(self) -> int:
        """Parameter words that hold a block's thresholds."""
        return 1 << self.threshold_bits >> 1

    @property
    @abstractmethod
    def inputs(self) -> tuple[tuple[str, View], ...]:
        """Tensors and views that it reads through its window."""

    def written(self, block: int, plane: int = 0) -> int:
        """Return the block of the output's map that a tile of a channel block writes."""
        if not self.out.map.planes:
            return self.out.block + block
        return plane * self.out.map.lane_blocks + block // PARTS

    def completes(self, block: int, columns: int) -> tuple[int, ...]:
        """Return the blocks of the output's map that are complete with a channel block's tile."""
        if not self.out.map.planes:
            return (self.out.block + block,)
        if block % PARTS < PARTS - 1 and block < self.out.blocks(columns) - 1:
            return ()
        return tuple(self.written(block, plane) for plane in range(self.out.map.planes))

    @property
    def reads(self) -> tuple[tuple[str, View, bool], ...]:
        """All tensors and views that it reads, and whether through its window."""
        found = tuple((tensor, view, True) for tensor, view in self.inputs)
        if self.residual:
            found += ((self.residual.tensor, self.residual.view, False),)
        return found

    @property
    def shifts(self) -> Codes:
        """First-stage shift per output channel."""
        return np.broadcast_to(np.array(self.requantize.shift, np.int64), self.bias.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayOp(Op):
    """A convolution on the systolic array; several sources add up."""

    sources: tuple[Source, ...]

    @property
    def inputs(self) -> tuple[tuple[str, View], ...]:
        """Tensors and views that the array reads."""
        return tuple((source.tensor, source.view) for source in self.sources)


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorOp(Op):
    """A window of taps per channel on the vector unit: depthwise, pools, adds, moves.

    ``taps`` is ``(channels or 1, kernel height, kernel width)``; a zero tap is not taken.
    """

    source: View
    source_tensor: str
    operation: VectorOperation
    taps: Codes

    @property
    def inputs(self) -> tuple[tuple[str, View], ...]:
        """Tensors and views whose windows it reads."""
        return ((self.source_tensor, self.source),)
