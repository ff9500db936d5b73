"""A float graph as a network that is trained with TQT's quantizers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...isa.requantize import Rounding
from .. import float_graph as fg
from ..float_graph import FloatGraph, FloatNode
from ..layout import encode_layout
from .layers import ConvLayer, run_plain
from .precision import Precision, make_plan
from .tqt import TqtQuantizer

__all__ = ["TqtNetwork"]

Array = NDArray[Any]


class TqtNetwork(nn.Module):
    """A network whose weights, biases and thresholds are trained together.

    Its values are those of the integer network that
    :func:`~shiftloom.quant.train.export.export_network` returns, code for code: exactly so in
    float64, and in float32 as long as no sum exceeds 24 bits. Host operators at the end of the
    graph, such as a softmax, are left out: the network returns what they read.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused: see :func:`~shiftloom.quant.transforms.prepare`.
    samples : mapping
        For each input calibration data in the model's own layout.
    precision : Precision
        Bits by layer.
    weight_method : str
        Where weight thresholds start: ``"3sd"`` before training, ``"max"`` without.

    Members
    -------
    quantizes : bool
        Switched off, the network computes in float: for training it first.
    """

    def __init__(
        self,
        graph: FloatGraph,
        samples: Mapping[str, Array],
        precision: Precision,
        weight_method: str = "3sd",
    ) -> None:
        super().__init__()
        self.graph, self.precision, self.weight_method = graph, precision, weight_method
        signs = {name: bool(np.min(samples[name]) < 0) for name in graph.inputs}
        self.plan = make_plan(graph, precision, signs)
        self.quantizes = True
        self._quantizers = {
            group: TqtQuantizer(self.plan.bits[group], signed=self.plan.signed[group])
            for group in self.plan.members
        }
        self._layers = {
            node.name: ConvLayer(
                node,
                self.plan.weight_bits.get(node.name, 8),
                per_channel=precision.per_channel,
                two_stage=precision.two_stage,
            )
            for node in graph.nodes
            if isinstance(node, fg.Conv)
        }
        self.quantizers = nn.ModuleList(self._quantizers.values())
        self.layers = nn.ModuleList(self._layers.values())
        self.calibrate(samples)

    def quantizer(self, tensor: str) -> TqtQuantizer:
        """Return the quantizer that a tensor's format is from."""
        return self._quantizers[self.plan.quantizer[tensor]]

    def layer(self, name: str) -> ConvLayer:
        """Return a convolution by its name."""
        return self._layers[name]

    def has_layer(self, name: str) -> bool:
        """Return whether a convolution of the float graph has this name."""
        return name in self._layers

    def thresholds(self) -> list[nn.Parameter]:
        """Return ``log2 t`` of all quantizers."""
        layers = self._layers.values()
        middles = [layer.middle for layer in layers if layer.middle is not None]
        quantizers = [*(layer.quantizer for layer in layers), *middles, *self._quantizers.values()]
        return [quantizer.log2_t for quantizer in quantizers]

    def weights(self) -> list[nn.Parameter]:
        """Return everything else that is trained."""
        return [p for layer in self._layers.values() for p in (layer.weight, layer.bias)]

    def encode(self, name: str, values: Array) -> Tensor:
        """Return an input in the model's own layout as feature maps."""
        maps = encode_layout(
            np.asarray(values, np.float32), self.graph.edges[name], self.graph.shapes[name]
        )
        return torch.from_numpy(maps).to(self.weights()[0].dtype)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the first output, ``(batch, values)``, for inputs as feature maps."""
        tensors = self.tensors(dict(zip(self.graph.inputs, inputs, strict=True)))
        return tensors[self._result(self.graph.outputs[0])].flatten(1)

    def _result(self, output: str) -> str:
        """Return the tensor that stands for an output: what its host operators read."""
        hosts = {n.output: n.inputs[0] for n in self.graph.nodes if isinstance(n, fg.Host)}
        while output in hosts:
            output = hosts[output]
        return output

    def tensors(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every tensor of the network."""
        values = {name: self._quantized(name, inputs[name]) for name in self.graph.inputs}
        for node in self._trained():
            raw = self._run(node, [values[name] for name in node.inputs])
            values[node.output] = self._finished(node, raw)
        return values

    def _trained(self) -> list[FloatNode]:
        return [node for node in self.graph.nodes if not isinstance(node, fg.Host)]

    def _run(self, node: FloatNode, inputs: list[Tensor]) -> Tensor:
        if not isinstance(node, fg.Conv):
            return run_plain(node, inputs)
        step = self.quantizer(node.inputs[0]).scale() if self.quantizes else None
        result: Tensor = self.layer(node.name)(inputs[0], step)
        return result

    def _finished(self, node: FloatNode, raw: Tensor) -> Tensor:
        if node.output not in self.plan.members[self.plan.quantizer[node.output]]:
            return raw  # keeps the format of its input
        rounding = Rounding.FLOOR if isinstance(node, fg.AveragePool) else None
        return self._quantized(node.output, raw, rounding)

    def _quantized(self, name: str, raw: Tensor, rounding: Rounding | None = None) -> Tensor:
        if not self.quantizes:
            return raw
        result: Tensor = self.quantizer(name)(raw, rounding)
        return result

    def calibrate(self, samples: Mapping[str, Array]) -> None:
        """Set all thresholds in topological order, each on what quantized layers before it make.

        Weights start as ``weight_method`` says, activations by KL-J; tensors that share a
        quantizer are calibrated together.
        """
        for layer in self._layers.values():
            layer.initialise(self.weight_method)
        with torch.no_grad():
            raw = {name: self.encode(name, samples[name]) for name in self.graph.inputs}
            values: dict[str, Tensor] = {}
            done: set[str] = set()
            for node in self._trained():
                inputs = [self._settled(name, raw, values, done) for name in node.inputs]
                if isinstance(node, fg.Conv):
                    step = self.quantizer(node.inputs[0]).scale()
                    self.layer(node.name).calibrate_middle(inputs[0], step)
                raw[node.output] = self._run(node, inputs)
            for name in raw:
                self._settled(name, raw, values, done)

    def _settled(
        self, name: str, raw: dict[str, Tensor], values: dict[str, Tensor], done: set[str]
    ) -> Tensor:
        """Return a quantized tensor; calibrate its quantizer if it is the first of its group."""
        if name in values:
            return values[name]
        group = self.plan.quantizer[name]
        if group not in done:
            done.add(group)
            data = [raw[n].numpy().ravel() for n in self.plan.members[group] if n in raw]
            self.quantizer(name).initialise(np.concatenate(data), "kl-j")
        made = {node.output: node for node in self._trained()}
        values[name] = (
            self._finished(made[name], raw[name])
            if name in made
            else self._quantized(name, raw[name])
        )
        return values[name]
