"""The ONNX nodes of a quantized graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..isa.requantize import Rounding
from .export_moves import add_move
from .export_rounding import add_rounding
from .export_thresholds import add_comparisons
from .graph import Add, AveragePool, Conv, Host, Node, QuantGraph, TensorType

__all__ = ["Exporter", "rounds_twice"]

Array = NDArray[Any]
FLOAT = onnx.TensorProto.FLOAT


def rounds_twice(node: Conv) -> bool:
    """Return whether a layer's first stage changes what its second makes of exact sums."""
    params, left = node.requantize, -node.requantize.out_shift
    if node.mid_bias.any() or left < 0 or (left and any(params.shift)):
        return True
    return params.low << left > params.out_low or params.high << left < params.out_high


class Exporter:
    """Collects nodes and constants; a tensor of codes is its dequantized float tensor.

    Parameters
    ----------
    graph : QuantGraph
        What to export.
    """

    def __init__(self, graph: QuantGraph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: set[str] = set()
        host = any(isinstance(node, Host) for node in graph.nodes)
        self.batch: int | str = 1 if host else "N"

    def build(self) -> None:
        """Export inputs, nodes and outputs."""
        for name in self.graph.inputs:
            self._input(name)
        for node in self.graph.nodes:
            self._node(node)
        for name in self.graph.outputs:
            self._output(name)

    def finish(self) -> onnx.GraphProto:
        """Return the ONNX graph."""
        infos = [
            [
                helper.make_tensor_value_info(
                    n, FLOAT, [self.batch, *self.graph.edges[n].shape[1:]]
                )
                for n in names
            ]
            for names in (self.graph.inputs, self.graph.outputs)
        ]
        return helper.make_graph(self.nodes, self.graph.name, infos[0], infos[1], self.constants)

    def inner(self, name: str) -> str:
        """Return the name of a feature map; inputs and outputs have the model's layout."""
        edge = name in self.graph.inputs or name in self.graph.outputs
        return f"{name}/map" if edge and name in self.graph.tensors else name

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node and return its output."""
        name = f"{output}/{op}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def constant(self, name: str, values: Array) -> str:
        """Add a constant once and return its name."""
        if name not in self.known:
            self.known.add(name)
            self.constants.append(numpy_helper.from_array(np.array(values), name))
        return name

    def scale(self, exponents: tuple[int, ...], name: str = "") -> str:
        """Return a constant with powers of two: one, or one per channel under a name."""
        values = np.ldexp(np.float32(1), np.array(exponents)).astype(np.float32)
        if len(exponents) == 1:
            return self.constant(f"scale/{exponents[0]}", values[0])
        return self.constant(name, values)

    def integers(self, values: Sequence[int]) -> str:
        """Return a constant vector of integers."""
        return self.constant(
            f"integers/{'_'.join(str(v) for v in values)}", np.array(values, np.int64)
        )

    def quantized(self, source: str, output: str, tensor: TensorType, low: int, high: int) -> None:
        """Add QuantizeLinear, a Clip where codes are narrower than a byte, DequantizeLinear."""
        kind = np.int8 if tensor.signed else np.uint8
        zero = self.constant(f"zero/{kind.__name__}", np.array(0, kind))
        scale = self.scale((tensor.exponent,))
        codes = self.add("QuantizeLinear", [source, scale, zero], f"{output}/codes")
        limits = np.iinfo(kind)
        if (low, high) != (limits.min, limits.max):
            bounds = [
                self.constant(f"code/{kind.__name__}/{v}", np.array(v, kind)) for v in (low, high)
            ]
            codes = self.add("Clip", [codes, *bounds], f"{output}/clipped")
        self.add("DequantizeLinear", [codes, scale, zero], output)

    def _input(self, name: str) -> None:
        tensor, edge = self.graph.tensors[name], self.graph.edges[name]
        source, last = name, f"{name}/quantized"
        if edge.scale != 1:
            steps = self.constant(f"{name}/step", np.array(edge.scale, np.float32))
            source = self.add("Div", [name, steps], f"{name}/scaled")
        self.quantized(source, last, tensor, tensor.low, tensor.high)
        if edge.permutation:
            permutation = [0, *(axis + 1 for axis in edge.permutation)]
            last = self.add("Transpose", [last], f"{name}/turned", perm=permutation)
        shape = self.integers((0, *tensor.shape))
        self.add("Reshape", [last, shape], self.inner(name))

    def _output(self, name: str) -> None:
        if name not in self.graph.tensors:
            return
        edge, last = self.graph.edges[name], self.inner(name)
        if edge.scale != 1:
            steps = self.constant(f"{name}/step", np.array(edge.scale, np.float32))
            last = self.add("Mul", [last, steps], f"{name}/scaled")
        sizes = edge.shape[1:]
        if edge.permutation:
            turned = self.integers((0, *(sizes[axis] for axis in edge.permutation)))
            last = self.add("Reshape", [last, turned], f"{name}/unturned")
            back = [0, *(int(axis) + 1 for axis in np.argsort(edge.permutation))]
            last = self.add("Transpose", [last], f"{name}/plain", perm=back)
        self.add("Reshape", [last, self.integers((0, *sizes))], name)

    def _node(self, node: Node) -> None:
        inputs = [self.inner(name) for name in node.inputs]
        output = self.inner(node.output)
        if isinstance(node, Conv):
            self._conv(node, inputs, output)
        elif isinstance(node, Add):
            total = self.add("Add", inputs, f"{output}/sum")
            self._requantized(node, total, output)
        elif isinstance(node, AveragePool):
            self._average(node, inputs, output)
        elif isinstance(node, Host):
            self._host(node, inputs, output)
        else:
            add_move(self, node, inputs, output)

    def _conv(self, node: Conv, inputs: list[str], output: str) -> None:
        window = {
            "strides": node.stride,
            "dilations": node.dilation,
            "pads": node.padding,
            "group": node.groups,
        }
        operands = [*inputs, *self._weights_and_bias(node, output)]
        acc = self.add("Conv", operands, f"{output}/sum", **window)
        if node.thresholds is not None:
            self._compared(node, acc, output)
            return
        if rounds_twice(node):
            acc = self._middle(node, acc, output, self.steps(node)[0])
        self._requantized(node, acc, output)

    def steps(self, node: Conv) -> tuple[int, ...]:
        """Return the exponents of a convolution's sums: one, or one per channel."""
        source = self.graph.tensors[node.inputs[0]].exponent
        return tuple(exponent + source for exponent in node.weight_exponent)

    def _weights_and_bias(self, node: Conv, output: str) -> list[str]:
        weight = self.constant(f"{node.output}/weight", node.weight)
        scale = self.scale(node.weight_exponent, f"{output}/weight_scale")
        operands = [self.add("DequantizeLinear", [weight, scale], f"{output}/weights", axis=0)]
        if node.bias.any():
            bias = self.constant(f"{node.output}/bias", node.bias)
            steps = self.scale(self.steps(node), f"{output}/bias_scale")
            operands.append(self.add("DequantizeLinear", [bias, steps], f"{output}/biases", axis=0))
        return operands

    def _compared(self, node: Conv, acc: str, output: str) -> None:
        """Add comparisons in place of requantization; what they leave out only comes along."""
        source, tensor = self.graph.tensors[node.inputs[0]], self.graph.tensors[node.output]
        if node.mid_bias.any():
            self.constant(f"{node.output}/mid_bias", node.mid_bias)
        codes = add_comparisons(self, node, source.exponent, acc, output)
        values = self.add("Mul", [codes, self.scale((tensor.exponent,))], f"{output}/values")
        self.quantized(values, output, tensor, tensor.low, tensor.high)

    def _middle(self, node: Conv, acc: str, output: str, step: int) -> str:
        """Add the first of two roundings and the second bias."""
        params = node.requantize
        middle = step + params.shift[0]
        limits = params.low, params.high
        last = self._integers(acc, f"{output}/first", middle, limits, params.rounding)
        if node.mid_bias.any():
            name = self.constant(f"{node.output}/mid_bias", node.mid_bias.reshape(-1, 1, 1))
            floats = self.add("Cast", [name], f"{output}/mid", to=FLOAT)
            last = self.add("Add", [last, floats], f"{output}/biased")
        return self.add("Mul", [last, self.scale((middle,))], f"{output}/middle")

    def _integers(
        self,
        acc: str,
        output: str,
        step: int,
        limits: tuple[int, int],
        rounding: Rounding = Rounding.HALF_EVEN,
    ) -> str:
        """Return sums as integers at a step, rounded and clamped, in float."""
        scaled = self.add("Mul", [acc, self.scale((-step,))], f"{output}/scaled")
        rounded = add_rounding(self, scaled, output, rounding)
        bounds = [self.constant(f"value/{v}", np.array(v, np.float32)) for v in limits]
        return self.add("Clip", [rounded, *bounds], f"{output}/saturated")

    def _requantized(self, node: Conv | Add, acc: str, output: str) -> None:
        params, tensor = node.requantize, self.graph.tensors[node.output]
        limits = (params.out_low, params.out_high)
        if tensor.bits <= 8 and params.rounding is Rounding.HALF_EVEN:
            self.quantized(acc, output, tensor, *limits)
            return
        # Opset 17 has no wider codes, runtimes err on those of opset 21, and all round to even.
        last = self._integers(acc, output, tensor.exponent, limits, params.rounding)
        step = self.scale((tensor.exponent,))
        if tensor.bits > 8:
            self.add("Mul", [last, step], output)
        else:
            last = self.add("Mul", [last, step], f"{output}/values")
            self.quantized(last, output, tensor, *limits)

    def _average(self, node: AveragePool, inputs: list[str], output: str) -> None:
        """Add a depthwise convolution; to round down, its bias is just above minus a half."""
        source, tensor = self.graph.tensors[node.inputs[0]], self.graph.tensors[node.output]
        params, channels = node.requantize, source.shape[0]
        shift = params.shift[0] + params.out_shift
        acc = tensor.exponent - shift
        code = np.full((channels, 1, *node.kernel), node.reciprocal, np.uint8)
        weight = self.constant(f"{output}/reciprocal", code)
        scale = self.scale((acc - source.exponent,))
        zero = self.constant("zero/uint8", np.array(0, np.uint8))
        operands = [
            *inputs,
            self.add("DequantizeLinear", [weight, scale, zero], f"{output}/factor"),
        ]
        if params.rounding is Rounding.FLOOR and shift > 0:
            offset = np.ldexp(np.float32(2.0 ** -(shift + 1) - 0.5), tensor.exponent)
            operands.append(
                self.constant(f"{output}/offset", np.full(channels, offset, np.float32))
            )
        total = self.add(
            "Conv",
            operands,
            f"{output}/sum",
            strides=node.stride,
            pads=node.padding,
            group=channels,
        )
        self.quantized(total, output, tensor, params.out_low, params.out_high)

    def _host(self, node: Host, inputs: list[str], output: str) -> None:
        model = onnx.ModelProto.FromString(node.model)
        last = f"{output}/float" if node.requantized else output
        names = dict(zip((v.name for v in model.graph.input), inputs, strict=True))
        names[model.graph.output[0].name] = last
        for tensor in model.graph.initializer:
            names[tensor.name] = f"{output}/{tensor.name}"
            tensor.name = names[tensor.name]
            self.constants.append(tensor)
        for part in model.graph.node:
            part.name = f"{output}/{part.op_type}{len(self.nodes)}"
            part.input[:] = [names.get(n, f"{output}/{n}") if n else "" for n in part.input]
            part.output[:] = [names.get(n, f"{output}/{n}") for n in part.output]
            self.nodes.append(part)
        if node.requantized:
            form = self.graph.tensors[node.output]
            self.quantized(last, output, form, form.low, form.high)
