"""Exact sums of a last layer: in bytes that the machine can store.

A sum of up to 8 bits is stored as it is. A wider one is two feature maps: ``high = floor(sum /
128)``, and what is missing, which an addition makes while the sums drain. Still wider ones are
sums over parts of the input channels, each of which is narrow enough.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from ...isa.requantize import MID_HIGH, MID_LOW, Requantize, Rounding
from ..graph import Add, Conv, Node, TensorType
from .open_layer import OpenLayer, identity_layer, reach

__all__ = ["Made", "keep", "store_sums"]

#: Bits of the lower map of a wide sum: the most that an addition shifts by.
LOW_BITS = 7

#: Parts that a layer is split into at most, before it goes to the host.
MOST_PARTS = 8


@dataclass(kw_only=True)
class Made:
    """Nodes and tensors of a quantized graph in the making."""

    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, TensorType] = field(default_factory=dict)

    def emit(self, node: Node, tensor: TensorType) -> str:
        """Add a node, and return the name of its output."""
        self.nodes.append(node)
        self.tensors[node.output] = tensor
        return node.output

    def rename(self, old: str, new: str) -> None:
        """Give a tensor another name."""
        self.tensors[new] = self.tensors.pop(old)
        self.nodes = [
            replace(
                node,
                inputs=tuple(new if name == old else name for name in node.inputs),
                output=new if node.output == old else node.output,
            )
            for node in self.nodes
        ]


def keep(
    low: int, high: int, shift: int = 0, rounding: Rounding = Rounding.HALF_EVEN
) -> Requantize:
    """Return a requantization that only shifts and clamps."""
    return Requantize(
        shift=(shift,), rounding=rounding, low=low, high=high, out_low=low, out_high=high
    )


def store_sums(made: Made, layer: OpenLayer, name: str, shape: tuple[int, int, int]) -> list[str]:
    """Emit what computes a layer's sums, and return the tensors whose values add up to them.

    The list is empty if the sums are too wide.
    """
    source = made.tensors[layer.conv.inputs[0]]
    parts = _parts(layer, source)
    names: list[str] = []
    for index, conv in enumerate(parts if len(parts) <= MOST_PARTS else []):
        part = name if len(parts) == 1 else f"{name}/part{index}"
        exact = replace(conv, name=part, weight_exponent=(-source.exponent,))
        low, high = (int(v) for v in (reach(conv, source)[0].min(), reach(conv, source)[1].max()))
        if (low < 0 and -128 <= low <= high <= 127) or 0 <= low <= high <= 255:
            tensor = TensorType(shape=shape, signed=low < 0)
            done = replace(exact, output=part, requantize=keep(tensor.low, tensor.high))
            names.append(made.emit(done, tensor))
        else:
            names += _two_maps(made, exact, part, shape)
    return names


def _two_maps(made: Made, conv: Conv, name: str, shape: tuple[int, int, int]) -> list[str]:
    """Emit a wide sum: its upper bits, and its lower ones as the sum less its upper bits."""
    byte = TensorType(shape=shape, exponent=LOW_BITS)
    upper = replace(
        conv,
        name=f"{name}/high",
        output=f"{name}/high",
        requantize=keep(-127, 127, LOW_BITS, Rounding.FLOOR),
    )
    high = made.emit(upper, byte)
    negative = identity_layer(f"{name}/negative", high, byte)
    negative = replace(
        negative, output=negative.name, weight=-negative.weight, requantize=keep(-128, 127)
    )
    wide = replace(
        conv, name=f"{name}/wide", output=f"{name}/wide", requantize=keep(MID_LOW, MID_HIGH)
    )
    below = made.emit(negative, byte)
    whole = made.emit(wide, TensorType(shape=shape, bits=16))
    most = (1 << LOW_BITS) - 1
    low = Add(
        name=f"{name}/low",
        inputs=(whole, below),
        output=f"{name}/low",
        requantize=keep(0, most),
        shifts=(0, LOW_BITS),
    )
    return [high, made.emit(low, TensorType(shape=shape, bits=LOW_BITS, signed=False))]


def _parts(layer: OpenLayer, source: TensorType) -> list[Conv]:
    """Split a layer by input channels, so that each part's sums fit two maps."""
    conv, limit = layer.conv, 127 << LOW_BITS
    if np.maximum(-layer.reach[0], layer.reach[1]).max() <= limit:
        return [conv]
    if conv.groups > 1:
        return []
    channels = conv.weight.shape[1]
    ends = [reach(_part(conv, c, c + 1), source) for c in range(channels)]
    starts, low, high = [0], np.zeros_like(layer.reach[0]), np.zeros_like(layer.reach[0])
    for channel, (least, most) in enumerate(ends):
        low, high = low + least, high + most
        if np.maximum(-low, high).max() > limit:
            starts.append(channel)
            low, high = least, most
    return [_part(conv, *bounds) for bounds in zip(starts, [*starts[1:], channels], strict=True)]


def _part(conv: Conv, start: int, stop: int) -> Conv:
    weight = np.zeros_like(conv.weight)
    weight[:, start:stop] = conv.weight[:, start:stop]
    return replace(conv, weight=weight)
