"""Quantized networks that grow node by node, with random weights and windows."""

import random

import numpy as np

from shiftloom.isa.requantize import Requantize, Rounding
from shiftloom.quant.graph import (
    Add,
    AveragePool,
    Concat,
    Conv,
    EdgeLayout,
    MaxPool,
    Pad,
    QuantGraph,
    Slice,
    TensorType,
)

__all__ = ["Builder"]


class Builder:
    """Grows a network node by node; each method returns the name of a new tensor, or None."""

    def __init__(self, seed):
        self.rng, self.generator = random.Random(seed), np.random.default_rng(seed)
        self.tensors, self.nodes, self.inputs = {}, [], []

    def graph(self, outputs):
        """Return the network."""
        return QuantGraph(
            name="random",
            inputs=tuple(name for name in self.inputs if self._used(name)),
            outputs=tuple(outputs),
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            edges={
                name: EdgeLayout(shape=(1, *self.tensors[name].shape))
                for name in (*self.inputs, *outputs)
            },
        )

    def _used(self, name):
        return any(name in node.inputs for node in self.nodes)

    def tensor(self, shape, signed=None, like=None):
        """Declare a tensor."""
        name = f"t{len(self.tensors)}"
        signed = self.rng.random() < 0.5 if signed is None else signed
        signed = like.signed if like else signed
        self.tensors[name] = TensorType(shape=shape, signed=signed)
        return name

    def input(self, shape=None):
        """Add an input."""
        rng = self.rng
        shape = shape or (rng.choice([1, 2, 3, rng.randint(4, 23)]), rng.randint(1, 14))
        shape = shape if len(shape) == 3 else (*shape, rng.randint(1, 14))
        name = self.tensor(shape)
        self.inputs.append(name)
        return name

    def requantize(self, name, shifts=(4, 10), channels=1):
        """Return a random requantization to a tensor's codes."""
        rng, tensor = self.rng, self.tensors[name]
        low, high = sorted(rng.sample(range(tensor.low, tensor.high + 1), 2))
        if rng.random() < 0.7:
            low, high = tensor.low, tensor.high
        two = rng.random() < 0.3
        return Requantize(
            shift=tuple(rng.randint(*shifts) for _ in range(channels)),
            rounding=Rounding(rng.randrange(4)),
            low=rng.choice([-(1 << 15), low]) if two else low,
            high=high,
            out_shift=rng.randint(-1, 3) if two else 0,
            out_low=low,
            out_high=high,
        )

    def _window(self, shape, dilated=True, pool=False):
        """Return kernel, stride, dilation, padding and the output's size."""
        rng = self.rng
        while True:
            kernel = rng.choice([(1, 1), (3, 3), (rng.randint(1, 5), rng.randint(1, 5))])
            stride = rng.choice([(1, 1), (2, 2), (rng.randint(1, 3), rng.randint(1, 3))])
            dilation = (1, 1)
            if dilated and rng.random() < 0.3:
                dilation = rng.randint(1, 3), rng.randint(1, 3)
            most = [k - 1 if pool else k for k in kernel]
            if pool and dilation != (1, 1):  # a window of nothing but padding has no maximum
                most = [0, 0]
            padding = tuple(rng.randint(0, most[n % 2]) for n in range(4))
            reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
            sums = [shape[1 + n] + padding[n] + padding[n + 2] for n in range(2)]
            size = tuple((sums[n] - reach[n]) // stride[n] + 1 for n in range(2))
            if min(size) > 0:
                return kernel, stride, dilation, padding, size

    def conv(self, source, kind=None, channels=None):
        """Add a convolution: dense, grouped or depthwise."""
        rng, shape = self.rng, self.tensors[source].shape
        kind = kind or rng.choice(["dense", "dense", "depthwise", "grouped", "whole"])
        kernel, stride, dilation, padding, size = self._window(shape)
        if kind == "whole":
            kernel, stride, dilation, padding, size = shape[1:], (1, 1), (1, 1), (0,) * 4, (1, 1)
        groups, outputs = 1, channels or rng.randint(1, 20)
        if kind == "depthwise":
            groups = outputs = shape[0]
        if kind == "grouped":
            groups = rng.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0])
            outputs = groups * rng.randint(1, max(1, 20 // groups))
        output = self.tensor((outputs, *size))
        weight = self.generator.integers(-128, 128, (outputs, shape[0] // groups, *kernel), np.int8)
        per_channel = rng.random() < 0.3
        params = self.requantize(output, channels=outputs if per_channel else 1)
        mid = self.generator.integers(-100, 100, outputs) * (params.out_shift > 0)
        self.nodes.append(
            Conv(
                name=f"n{len(self.nodes)}",
                inputs=(source,),
                output=output,
                weight=weight,
                weight_exponent=(0,),
                bias=self.generator.integers(-5000, 5000, outputs).astype(np.int32),
                mid_bias=mid.astype(np.int16),
                requantize=params,
                stride=stride,
                dilation=dilation,
                padding=padding,
                groups=groups,
            )
        )
        return output

    def add(self, first, second):
        """Add the sum of two tensors of one shape."""
        output = self.tensor(self.tensors[first].shape)
        params = self.requantize(output, (0, 3))
        while params.out_shift:
            params = self.requantize(output, (0, 3))
        self.nodes.append(
            Add(
                name=f"n{len(self.nodes)}",
                inputs=(first, second),
                output=output,
                requantize=params,
                shifts=self.rng.choice([(0, 0), (0, 2), (1, 0), (3, 1)]),
            )
        )
        return output

    def pool(self, source):
        """Add a maximum or average pool."""
        tensor = self.tensors[source]
        kernel, stride, dilation, padding, size = self._window(tensor.shape, pool=True)
        shape = (tensor.shape[0], *size)
        common = {"name": f"n{len(self.nodes)}", "inputs": (source,)}
        common |= {"kernel": kernel, "stride": stride, "padding": padding}
        if self.rng.random() < 0.5:
            output = self.tensor(shape, like=tensor)
            node = MaxPool(**common, output=output, dilation=dilation)
        elif dilation == (1, 1):
            output = self.tensor(shape, like=tensor)
            reciprocal = self.rng.choice([1, self.rng.randint(1, 255)])
            params = self.requantize(output, (0, 9))
            node = AveragePool(**common, output=output, reciprocal=reciprocal, requantize=params)
        else:
            return None
        self.nodes.append(node)
        return output

    def concat(self, *sources):
        """Add a concatenation along channels."""
        tensors = [self.tensors[name] for name in sources]
        channels = sum(tensor.shape[0] for tensor in tensors)
        output = self.tensor((channels, *tensors[0].shape[1:]), like=tensors[0])
        self.nodes.append(Concat(name=f"n{len(self.nodes)}", inputs=sources, output=output))
        return output

    def pad(self, source):
        """Add padding by zeros."""
        rng, tensor = self.rng, self.tensors[source]
        channel = rng.choice([0, 0, 2])
        before = (channel, rng.randint(0, 2), rng.randint(0, 2))
        after = (rng.choice([0, 0, 3]), rng.randint(0, 2), rng.randint(0, 2))
        shape = tuple(b + s + a for b, s, a in zip(before, tensor.shape, after, strict=True))
        output = self.tensor(shape, like=tensor)
        self.nodes.append(
            Pad(
                name=f"n{len(self.nodes)}",
                inputs=(source,),
                output=output,
                before=before,
                after=after,
            )
        )
        return output

    def slice(self, source):
        """Add a strided slice."""
        rng, tensor = self.rng, self.tensors[source]
        start = tuple(rng.choice([0, rng.randrange(size)]) for size in tensor.shape)
        stop = tuple(
            rng.randint(low + 1, size) for low, size in zip(start, tensor.shape, strict=True)
        )
        step = (rng.choice([1, 1, 2]), rng.randint(1, 2), rng.randint(1, 2))
        shape = tuple(len(range(*bounds)) for bounds in zip(start, stop, step, strict=True))
        output = self.tensor(shape, like=tensor)
        self.nodes.append(
            Slice(
                name=f"n{len(self.nodes)}",
                inputs=(source,),
                output=output,
                start=start,
                stop=stop,
                step=step,
            )
        )
        return output
