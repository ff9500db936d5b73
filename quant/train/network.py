"""A float graph as a network that is trained with the quantizers of one of four methods."""

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
from ..recipe import LglsqParts
from .calibration import calibrate
from .coded import Coded
from .gradients import rounded_codes
from .layers import ConvLayer, run_plain
from .low_conv import LowConv
from .methods import activation_quantizer, weight_quantizer
from .precision import Precision, make_plan
from .tqt import TqtQuantizer

__all__ = ["Network", "TqtNetwork"]

Array = NDArray[Any]

#: Bits that a convolution hands to an addition.
WIDE = 16


class Network(nn.Module):
    """A network whose weights, norms and quantizers are trained together.

    Its codes are those of the integer network that
    :func:`~shiftloom.quant.train.export.export_network` returns: exactly so in float64. In float32
    a sum may exceed 24 bits, and a value may round to the other side of a real boundary. Host
    operators at the end of the graph, such as a softmax, are left out: the network returns what
    they read.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused: see :func:`~shiftloom.quant.transforms.prepare`.
    samples : mapping
        For each input calibration data in the model's own layout.
    precision : Precision
        Method, and bits by layer.
    weight_method : str
        Where TQT's weight thresholds start: ``"3sd"`` before training, ``"max"`` without.
    parts : LglsqParts
        Choices of LG-LSQ.

    Members
    -------
    quantizes : bool
        Switched off, the network computes in float: for training it first, and as a teacher.
    """

    def __init__(
        self,
        graph: FloatGraph,
        samples: Mapping[str, Array],
        precision: Precision,
        weight_method: str = "3sd",
        parts: LglsqParts | None = None,
    ) -> None:
        super().__init__()
        self.graph, self.precision, self.weight_method = graph, precision, weight_method
        self.parts = parts or LglsqParts()
        signs = {name: bool(np.min(samples[name]) < 0) for name in graph.inputs}
        self.plan = make_plan(graph, precision, signs)
        self.quantizes = True
        self._quantizers = {
            group: TqtQuantizer(self.plan.bits[group], signed=self.plan.signed[group])
            for group in self.plan.members
        }
        self._codes: dict[str, nn.Module] = {
            name: activation_quantizer(precision, signed, self.parts)
            for name, signed in self.plan.codes.items()
        }
        self._layers: dict[str, ConvLayer | LowConv] = {
            node.name: self._layer(node) for node in graph.nodes if isinstance(node, fg.Conv)
        }
        self.quantizers = nn.ModuleList(self._quantizers.values())
        self.codes = nn.ModuleList(self._codes.values())
        self.layers = nn.ModuleList(self._layers.values())
        self.calibrate(samples)

    def _layer(self, node: fg.Conv) -> ConvLayer | LowConv:
        bits = self.plan.weight_bits.get(node.name, 8)
        if node.name in self.plan.low:
            quantizer = weight_quantizer(self.precision, bits, self.parts)
            return LowConv(node, quantizer, power_of_two=node.output not in self.plan.inner)
        return ConvLayer(
            node,
            bits,
            per_channel=self.precision.per_channel,
            two_stage=self.precision.two_stage,
        )

    def quantizer(self, tensor: str) -> TqtQuantizer:
        """Return the quantizer that a tensor's power-of-two format is from."""
        return self._quantizers[self.plan.quantizer[tensor]]

    def code_quantizer(self, tensor: str) -> Any:
        """Return the method's quantizer of a tensor that low-bit layers read."""
        return self._codes[self.plan.inner.get(tensor, tensor)]

    def layer(self, name: str) -> Any:
        """Return a convolution by its name: a ``ConvLayer`` or a ``LowConv``."""
        return self._layers[name]

    def has_layer(self, name: str) -> bool:
        """Return whether a convolution of the float graph has this name."""
        return name in self._layers

    def low_layers(self) -> list[LowConv]:
        """Return the convolutions with the method's own quantizers."""
        return [layer for layer in self._layers.values() if isinstance(layer, LowConv)]

    def thresholds(self) -> list[nn.Parameter]:
        """Return ``log2 t`` of all power-of-two quantizers."""
        layers = [layer for layer in self._layers.values() if isinstance(layer, ConvLayer)]
        middles = [layer.middle for layer in layers if layer.middle is not None]
        quantizers = [*(layer.quantizer for layer in layers), *middles, *self._quantizers.values()]
        return [quantizer.log2_t for quantizer in quantizers]

    def method_parameters(self) -> list[nn.Parameter]:
        """Return what the method's own quantizers train: steps, or intervals."""
        modules = [*self.codes, *(layer.quantizer for layer in self.low_layers())]
        return [p for module in modules for p in module.parameters() if p.requires_grad]

    def weights(self) -> list[nn.Parameter]:
        """Return everything else that is trained: weights, biases and norms."""
        found: list[nn.Parameter] = []
        for layer in self._layers.values():
            if isinstance(layer, LowConv):
                found += [layer.weight, layer.norm.gamma, layer.norm.beta]
            else:
                found += [layer.weight, layer.bias]
        return found

    def encode(self, name: str, values: Array) -> Tensor:
        """Return an input in the model's own layout as feature maps."""
        maps = encode_layout(
            np.asarray(values, np.float32), self.graph.edges[name], self.graph.shapes[name]
        )
        return torch.from_numpy(maps).to(self.weights()[0].dtype)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the first output, ``(batch, values)``, for inputs as feature maps."""
        given = dict(zip(self.graph.inputs, inputs, strict=True))
        name = self._result(self.graph.outputs[0])
        result = self.coded(given)[name].values() if self.quantizes else self.plain(given)[name]
        return result.flatten(1)

    def _result(self, output: str) -> str:
        """Return the tensor that stands for an output: what its host operators read."""
        hosts = {n.output: n.inputs[0] for n in self.graph.nodes if isinstance(n, fg.Host)}
        while output in hosts:
            output = hosts[output]
        return output

    def tensors(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return every tensor of the network, as values."""
        if not self.quantizes:
            return self.plain(inputs)
        return {name: coded.values() for name, coded in self.coded(inputs).items()}

    def plain(self, inputs: Mapping[str, Tensor], describe: bool = False) -> dict[str, Tensor]:
        """Return every tensor of the float network; norms may take their statistics."""
        values = dict(inputs)
        for node in self.nodes():
            given = [values[name] for name in node.inputs]
            layer = self._layers.get(node.name)
            if isinstance(layer, LowConv):
                values[node.output] = layer.plain(given[0], describe)
            elif isinstance(layer, ConvLayer):
                values[node.output] = layer(given[0], None)
            else:
                values[node.output] = run_plain(node, given)
        return values

    def coded(self, inputs: Mapping[str, Tensor]) -> dict[str, Coded]:
        """Return every tensor of the quantized network; ``name/low`` is what low layers read."""
        values: dict[str, Coded] = {}
        for name in self.graph.inputs:
            self.note(values, name, self.quantizer(name).coded(inputs[name]))
        for node in self.nodes():
            self.note(values, node.output, self.finished(node, self.run(node, values)))
        return values

    def note(self, values: dict[str, Coded], name: str, coded: Coded) -> None:
        """Enter a tensor, and its codes for low-bit layers."""
        values[name] = coded
        if name in self._codes and name not in self.plan.inner:
            values[f"{name}/low"] = self.code_quantizer(name).coded(coded.values())

    def nodes(self) -> list[FloatNode]:
        """Return what is carried out: all but host operators."""
        return [node for node in self.graph.nodes if not isinstance(node, fg.Host)]

    def source(self, node: FloatNode) -> str:
        """Return the tensor that a convolution reads."""
        (name,) = node.inputs
        low = node.name in self.plan.low and name not in self.plan.inner
        return f"{name}/low" if low else name

    def unit(self, node: FloatNode) -> Tensor:
        """Return what a code step of a low-bit convolution's input is worth."""
        source = node.inputs[0].removesuffix("/low")
        found: Tensor = self.code_quantizer(source).coded(torch.zeros(1)).unit
        return found

    def run(self, node: FloatNode, values: Mapping[str, Coded]) -> Tensor | Coded:
        """Return what a node makes: sums, or codes where it only moves them."""
        layer = self._layers.get(node.name)
        if layer is None:
            inputs = [values[name] for name in node.inputs]
            if self._moves(node):
                return Coded(run_plain(node, [inputs[0].codes]), inputs[0].unit)
            return run_plain(node, [coded.values() for coded in inputs])
        x = values[self.source(node)]
        result: Tensor = layer(x) if isinstance(layer, LowConv) else layer(x.values(), x.unit)
        return result

    def _moves(self, node: FloatNode) -> bool:
        """Return whether a node's output has the codes of its input."""
        plan = self.plan
        made = node.output in plan.members.get(plan.quantizer[node.output], ())
        return not made and node.output not in plan.wide

    def finished(self, node: FloatNode, raw: Tensor | Coded) -> Coded:
        """Return sums as codes."""
        if isinstance(raw, Coded):
            return raw
        if node.output in self.plan.inner:
            coded: Coded = self.code_quantizer(node.output).coded(raw)
            return coded
        if node.output in self.plan.wide:
            return self._wide(node.output, raw)
        rounding = Rounding.FLOOR if isinstance(node, fg.AveragePool) else None
        return self.quantizer(node.output).coded(raw, rounding)

    def _wide(self, name: str, raw: Tensor) -> Coded:
        """Return 16-bit codes with the power of two of the addition's other operand."""
        unit = self.quantizer(self.plan.wide[name]).scale()[0]
        limit = 1 << (WIDE - 1)
        return Coded(rounded_codes(raw, unit, -limit, limit - 1), unit)

    def calibrate(self, samples: Mapping[str, Array]) -> None:
        """Set all quantizers from data; see :func:`~.calibration.calibrate`."""
        calibrate(self, samples)


class TqtNetwork(Network):
    """A network that is trained with TQT's quantizers alone."""
