"""SCALE-Sim's lists of layers: work, the cycles that it counts, and the same layers for compilers.

The lists are comma-separated: name, rows and columns of the input, rows and columns of the kernel,
channels, filters, stride; further columns are left alone. Layers have no padding, and each stands
for itself: the next layer's input is not the size of this one's output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from shiftloom.quant.graph import QuantGraph

from .net import Net

__all__ = ["Layer", "TopologyError", "graph_of", "parse_topology", "read_topology"]

#: Numbers behind a layer's name.
_NUMBERS = 7


class TopologyError(ValueError):
    """A list of layers that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A convolution without padding; a dense layer is one of 1x1.

    Parameters
    ----------
    name : str
        In the list.
    height, width : int
        Of the input.
    kernel : tuple of int
        Rows and columns.
    channels, filters : int
        Input and output channels. A depthwise layer is listed as one filter over all channels.
    stride : int
        Both ways.
    """

    name: str
    height: int
    width: int
    kernel: tuple[int, int]
    channels: int
    filters: int
    stride: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the output as SCALE-Sim counts them: rounded up, not down."""
        height, width = self.kernel
        return (
            ceil((self.height - height + self.stride) / self.stride),
            ceil((self.width - width + self.stride) / self.stride),
        )

    @property
    def pixels(self) -> int:
        """Output pixels of one filter."""
        return self.size[0] * self.size[1]

    @property
    def window(self) -> int:
        """Multiply-accumulates of one output."""
        return self.kernel[0] * self.kernel[1] * self.channels

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.pixels * self.window * self.filters

    @property
    def depthwise(self) -> bool:
        """Whether the list means a depthwise layer: one filter, larger than a pixel."""
        return self.filters == 1 and self.kernel != (1, 1)

    def cycles(self, dataflow: str, size: int) -> int:
        """Return the compute cycles that SCALE-Sim 3.0.0 reports for a square array.

        Every fold of the layer onto the array fills it, streams and drains, one after the other
        (A. Samajdar et al., ISPASS 2020, on the runtime of one array). What the program reports is
        one less than the count; output stationary, it leaves out the drain.

        Parameters
        ----------
        dataflow : str
            ``ws`` (weights stay in the array) or ``os`` (outputs do).
        size : int
            Rows and columns of the array.
        """
        if dataflow == "ws":
            folds = ceil(self.window / size) * ceil(self.filters / size)
            return folds * (self.pixels + 3 * size - 2) - 1
        folds = ceil(self.pixels / size) * ceil(self.filters / size)
        return folds * (self.window + 2 * size - 2) - 1


def read_topology(path: Path) -> list[Layer]:
    """Return the layers of a file.

    Raises
    ------
    TopologyError
        A line that is no layer, or no layer at all.
    """
    return parse_topology(path.read_text(encoding="utf-8"), path.name)


def parse_topology(text: str, where: str) -> list[Layer]:
    """Return the layers of a list whose first line is a heading; ``where`` names it in errors."""
    layers = []
    for number, line in enumerate(text.splitlines()[1:], start=2):
        cells = [cell.strip() for cell in line.split(",")]
        if any(cells):
            layers.append(_layer(cells, f"{where}, line {number}"))
    if not layers:
        raise TopologyError(f"{where}: no layers")
    return layers


def _layer(cells: list[str], where: str) -> Layer:
    try:
        numbers = [int(cell) for cell in cells[1 : 1 + _NUMBERS]]
    except ValueError as error:
        raise TopologyError(f"{where}: {error}") from error
    if len(numbers) < _NUMBERS or min(numbers) < 1:
        raise TopologyError(f"{where}: needs a name and {_NUMBERS} numbers above 0, not {cells}")
    height, width, *kernel, channels, filters, stride = numbers
    if kernel[0] > height or kernel[1] > width:
        raise TopologyError(f"{where}: the kernel is larger than the input")
    return Layer(
        name=cells[0],
        height=height,
        width=width,
        kernel=(kernel[0], kernel[1]),
        channels=channels,
        filters=filters,
        stride=stride,
    )


def graph_of(name: str, layers: Sequence[Layer], *, depthwise: bool = False) -> QuantGraph:
    """Return layers as one network, each with an input and an output of its own.

    Rows and columns are added below and to the right where an output that SCALE-Sim counts reaches
    beyond the input.

    Parameters
    ----------
    name : str
        The network's.
    layers : sequence of Layer
        At least one.
    depthwise : bool
        Make depthwise layers of those that are meant to be, with as many multiply-accumulates.
    """
    first, outputs = layers[0], []
    net = Net(name, (first.channels, first.height, first.width))
    for index, layer in enumerate(layers):
        shape = (layer.channels, layer.height, layer.width)
        source = net.another_input(shape) if index else "image"
        below, right = (
            max(0, (out - 1) * layer.stride + kernel - size)
            for out, kernel, size in zip(layer.size, layer.kernel, shape[1:], strict=True)
        )
        real, pad = depthwise and layer.depthwise, (0, 0, below, right)
        filters = layer.channels if real else layer.filters
        outputs.append(
            net.conv(source, filters, layer.kernel, layer.stride, pad=pad, depthwise=real)
        )
    return net.graph(*outputs)
