"""Networks built call by call, with seeded random weights."""

from dataclasses import dataclass, field
from math import log2

import numpy as np

from shiftloom.isa.requantize import Requantize
from shiftloom.quant.graph import (
    Add,
    AveragePool,
    Concat,
    Conv,
    EdgeLayout,
    MaxPool,
    Node,
    QuantGraph,
    TensorType,
)

__all__ = ["Net"]

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]


@dataclass
class Net:
    """A network that grows by calls; every method returns the name of a new tensor."""

    name: str
    shape: tuple[int, int, int]
    tensors: dict[str, TensorType] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(1)
        self.tensors["image"] = TensorType(shape=self.shape)
        self.inputs = ["image"]

    def another_input(self, shape: tuple[int, int, int]) -> str:
        """Add an input beside ``image``."""
        name = f"input{len(self.inputs)}"
        self.tensors[name] = TensorType(shape=shape)
        self.inputs.append(name)
        return name

    def _tensor(
        self, channels: int, height: int, width: int, *, signed: bool, bits: int = 8
    ) -> str:
        name = f"t{len(self.tensors)}"
        self.tensors[name] = TensorType(shape=(channels, height, width), signed=signed, bits=bits)
        return name

    def _out(self, source: str, kernel: Pair, stride: int, pad: Sides) -> Pair:
        _, height, width = self.tensors[source].shape
        rows = (height + pad[0] + pad[2] - kernel[0]) // stride + 1
        return rows, (width + pad[1] + pad[3] - kernel[1]) // stride + 1

    def conv(
        self,
        source: str,
        channels: int,
        kernel: int | Pair = 1,
        stride: int = 1,
        *,
        pad: int | Sides | None = None,
        depthwise: bool = False,
        relu: bool = True,
        wide: bool = False,
    ) -> str:
        """Add a convolution; the padding keeps the size unless it is given."""
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        sides = (pad,) * 4 if isinstance(pad, int) else pad or _around(height, width)
        inputs = self.tensors[source].shape[0]
        size = self._out(source, (height, width), stride, sides)
        output = self._tensor(channels, *size, signed=not relu, bits=16 if wide else 8)
        tensor = self.tensors[output]
        per_channel = 1 if depthwise else inputs
        weight = self.generator.integers(-127, 128, (channels, per_channel, height, width), np.int8)
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
                padding=sides,
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
        tensor, size = self.tensors[source], self._out(source, (kernel,) * 2, stride, (pad,) * 4)
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

    def concat(self, *sources: str) -> str:
        """Add a concatenation along channels."""
        shapes = [self.tensors[source].shape for source in sources]
        output = self._tensor(sum(shape[0] for shape in shapes), *shapes[0][1:], signed=False)
        self.nodes.append(Concat(name=f"concat{len(self.nodes)}", inputs=sources, output=output))
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

    def graph(self, *outputs: str) -> QuantGraph:
        """Return the network."""
        edges = [*self.inputs, *outputs]
        return QuantGraph(
            name=self.name,
            inputs=tuple(self.inputs),
            outputs=outputs,
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            edges={name: EdgeLayout(shape=(1, *self.tensors[name].shape)) for name in edges},
        )


def _around(height: int, width: int) -> Sides:
    """Return top, left, bottom and right padding that keeps the size at a stride of 1."""
    return height // 2, width // 2, (height - 1) // 2, (width - 1) // 2
