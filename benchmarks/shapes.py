"""Networks known by their shapes, with seeded random weights."""

from dataclasses import dataclass, field
from math import log2

import numpy as np

from shiftloom.isa.requantize import Requantize
from shiftloom.quant.graph import (
    Add,
    AveragePool,
    Conv,
    EdgeLayout,
    MaxPool,
    Node,
    QuantGraph,
    TensorType,
)

__all__ = ["SHAPES", "network"]


@dataclass
class _Net:
    """A network that grows by calls; every method returns the name of a new tensor."""

    name: str
    shape: tuple[int, int, int]
    tensors: dict[str, TensorType] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(1)
        self.tensors["image"] = TensorType(shape=self.shape)

    def _tensor(
        self, channels: int, height: int, width: int, *, signed: bool, bits: int = 8
    ) -> str:
        name = f"t{len(self.tensors)}"
        self.tensors[name] = TensorType(shape=(channels, height, width), signed=signed, bits=bits)
        return name

    def _out(self, source: str, kernel: int, stride: int, pad: int) -> tuple[int, int]:
        _, height, width = self.tensors[source].shape
        return tuple((size + 2 * pad - kernel) // stride + 1 for size in (height, width))  # type: ignore[return-value]

    def conv(
        self,
        source: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        relu: bool = True,
        wide: bool = False,
    ) -> str:
        """Add a convolution with padding that keeps the size."""
        inputs, pad = self.tensors[source].shape[0], kernel // 2
        size = self._out(source, kernel, stride, pad)
        output = self._tensor(channels, *size, signed=not relu, bits=16 if wide else 8)
        tensor = self.tensors[output]
        per_channel = 1 if depthwise else inputs
        weight = self.generator.integers(
            -127, 128, (channels, per_channel, kernel, kernel), np.int8
        )
        shift = max(0, round(6 + log2(weight[0].size) / 2))
        if wide:
            params = Requantize(shift=(shift - 4,), out_low=tensor.low, out_high=tensor.high)
        else:
            low, high = tensor.low, tensor.high
            params = Requantize(shift=(shift,), low=low, high=high, out_low=low, out_high=high)
        self.nodes.append(
            Conv(
                name=f"conv{len(self.nodes)}",
                inputs=(source,),
                output=output,
                weight=weight,
                weight_exponent=(0,),
                bias=self.generator.integers(-2000, 2000, channels).astype(np.int32),
                mid_bias=np.zeros(channels, np.int16),
                requantize=params,
                stride=(stride, stride),
                padding=(pad,) * 4,
                groups=inputs if depthwise else 1,
            )
        )
        return output

    def add(self, first: str, second: str, *, relu: bool) -> str:
        """Add a sum, with the first operand four bits finer than the second."""
        output = self._tensor(*self.tensors[first].shape, signed=not relu)
        tensor = self.tensors[output]
        low, high = tensor.low, tensor.high
        params = Requantize(shift=(4,), low=low, high=high, out_low=low, out_high=high)
        self.nodes.append(
            Add(
                name=f"add{len(self.nodes)}",
                inputs=(first, second),
                output=output,
                requantize=params,
                shifts=(0, 4),
            )
        )
        return output

    def max_pool(self, source: str, kernel: int = 3, stride: int = 2, pad: int = 1) -> str:
        """Add a maximum pool."""
        tensor, size = self.tensors[source], self._out(source, kernel, stride, pad)
        output = self._tensor(tensor.shape[0], *size, signed=tensor.signed)
        self.nodes.append(
            MaxPool(
                name=f"pool{len(self.nodes)}",
                inputs=(source,),
                output=output,
                kernel=(kernel, kernel),
                stride=(stride, stride),
                padding=(pad,) * 4,
            )
        )
        return output

    def mean(self, source: str) -> str:
        """Add a global average pool."""
        tensor = self.tensors[source]
        output = self._tensor(tensor.shape[0], 1, 1, signed=tensor.signed)
        made = self.tensors[output]
        params = Requantize(shift=(13,), out_low=made.low, out_high=made.high)
        self.nodes.append(
            AveragePool(
                name="mean",
                inputs=(source,),
                output=output,
                kernel=tensor.shape[1:],
                stride=(1, 1),
                reciprocal=167,
                requantize=params,
            )
        )
        return output

    def graph(self, output: str) -> QuantGraph:
        """Return the network."""
        shape = self.tensors[output].shape
        return QuantGraph(
            name=self.name,
            inputs=("image",),
            outputs=(output,),
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            edges={
                "image": EdgeLayout(shape=(1, *self.shape)),
                output: EdgeLayout(shape=(1, *shape)),
            },
        )


def _mobilenet_v1(width: float = 1.0, size: int = 224, classes: int = 1000) -> QuantGraph:
    net = _Net(f"mobilenet_v1_{width:g}_{size}", (3, size, size))
    x = net.conv("image", int(32 * width), 3, 2)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    for channels, stride in [*plan, (1024, 2), (1024, 1)]:
        x = net.conv(x, net.tensors[x].shape[0], 3, stride, depthwise=True)
        x = net.conv(x, int(channels * width))
    return net.graph(net.conv(net.mean(x), classes, relu=False))


def _mobilenet_v2() -> QuantGraph:
    net = _Net("mobilenet_v2", (3, 224, 224))
    x = net.conv("image", 32, 3, 2)
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    for expand, channels, count, first in [*plan, (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for index in range(count):
            source, inside, stride = x, net.tensors[x].shape[0] * expand, 1 if index else first
            x = x if expand == 1 else net.conv(x, inside)
            x = net.conv(x, inside, 3, stride, depthwise=True)
            x = net.conv(x, channels, relu=False, wide=index > 0)
            x = net.add(x, source, relu=False) if index else x
    return net.graph(net.conv(net.mean(net.conv(x, 1280)), 1000, relu=False))


def _resnet(name: str, counts: tuple[int, ...], bottleneck: bool) -> QuantGraph:
    net = _Net(name, (3, 224, 224))
    x = net.max_pool(net.conv("image", 64, 7, 2))
    for stage, count in enumerate(counts):
        for index in range(count):
            stride, width = (2 if stage and not index else 1), 64 << stage
            outside = 4 * width if bottleneck else width
            shortcut = x
            if index == 0 and (stage or bottleneck):
                shortcut = net.conv(x, outside, 1, stride, relu=False)
            if bottleneck:
                y = net.conv(net.conv(x, width), width, 3, stride)
                y = net.conv(y, outside, relu=False, wide=True)
            else:
                y = net.conv(x, width, 3, stride)
                y = net.conv(y, outside, 3, relu=False, wide=True)
            x = net.add(y, shortcut, relu=True)
    return net.graph(net.conv(net.mean(x), 1000, relu=False))


#: Networks by name.
SHAPES = {
    "resnet18": lambda: _resnet("resnet18", (2, 2, 2, 2), False),
    "resnet50": lambda: _resnet("resnet50", (3, 4, 6, 3), True),
    "mobilenet_v1": _mobilenet_v1,
    "mobilenet_v1_025_96": lambda: _mobilenet_v1(0.25, 96, 2),
    "mobilenet_v2": _mobilenet_v2,
}


def network(name: str) -> QuantGraph:
    """Return a network by its name in ``SHAPES``."""
    return SHAPES[name]()
