"""From a trained network to the quantized graph that the compiler takes."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from ...isa.requantize import Rounding
from .. import float_graph as fg
from ..bipolar import mark_bipolar
from ..calibrator import Options
from ..float_graph import FloatGraph, FloatNode, Format
from ..graph import AveragePool, Conv, Node, QuantGraph
from ..quantizers.tqt import Tqt, two_stage_form
from ..static import quantize_graph
from .code_layers import Comparators, code_format, low_conv, recoding
from .layers import ConvLayer
from .low_conv import LowConv
from .methods import Deployed
from .network import WIDE, Network
from .tqt import TqtQuantizer

__all__ = ["export_network"]


def export_network(network: Network) -> QuantGraph:
    """Return a trained network as integers: shifts, and comparators between low-bit layers.

    The trained formats are prescribed to static quantization, which then has nothing to choose.
    Feature maps between low-bit layers have codes with real units, which the layers around them
    absorb; their exponent is 0 and means nothing.

    Raises
    ------
    ModelError
        A shift between two formats lies outside what the machine has.
    """
    return _Export(deepcopy(network).double().eval()).graph()


class _Export:
    def __init__(self, network: Network) -> None:
        self.network, self.plan = network, network.plan
        self.formats = self._formats()
        self.comparators: dict[str, Comparators] = {}

    def graph(self) -> QuantGraph:
        prescribed = self._prescribed()
        samples = {
            name: np.zeros((1, *prescribed.edges[name].shape[1:]), np.float32)
            for name in prescribed.inputs
        }
        made = quantize_graph(prescribed, samples, Options())
        nodes = tuple(self._finished(made, node) for node in made.nodes)
        return mark_bipolar(replace(made, nodes=nodes))

    def _formats(self) -> dict[str, Format]:
        network, plan = self.network, self.plan
        formats = {
            name: _format(network.quantizer(name))
            for names in plan.members.values()
            for name in names
        }
        for name in plan.codes:
            coded = name if name in plan.inner else f"{name}/low"
            formats[coded] = code_format(network.code_quantizer(name).deployed())
        for name, other in plan.wide.items():
            limit = 1 << (WIDE - 1)
            step = _format(network.quantizer(other)).exponents
            formats[name] = Format(
                bits=WIDE, signed=True, exponents=step, low=-limit, high=limit - 1
            )
        return formats

    def _prescribed(self) -> FloatGraph:
        """Return the network with its codes and formats, and layers that make codes for others."""
        graph, nodes = self.network.graph, []
        shapes = dict(graph.shapes)
        for name in graph.inputs:
            nodes += self._recoded(name, shapes)
        waiting: dict[str, FloatNode] = {}
        for node in graph.nodes:
            if node.output in self.plan.wide:  # just before its addition, whose drain it is
                waiting[node.output] = self._trained(node)
                continue
            nodes += [waiting.pop(name) for name in node.inputs if name in waiting]
            nodes.append(self._trained(node))
            nodes += self._recoded(node.output, shapes)
        return replace(graph, nodes=tuple(nodes), formats=self.formats, shapes=shapes)

    def _recoded(self, name: str, shapes: dict[str, tuple[int, ...]]) -> list[FloatNode]:
        if name not in self.plan.codes or name in self.plan.inner:
            return []
        step = _format(self.network.quantizer(name)).exponents[0]
        twin = self.network.code_quantizer(name).deployed()
        node, bank = recoding(name, shapes[name][1], step, twin)
        shapes[node.output], self.comparators[node.output] = shapes[name], bank
        return [node]

    def _trained(self, node: FloatNode) -> FloatNode:
        if not isinstance(node, fg.Conv):
            return node
        layer = self.network.layer(node.name)
        twin = None
        if node.output in self.plan.inner:
            twin = self.network.code_quantizer(node.output).deployed()
        if isinstance(layer, LowConv):
            node = replace(node, inputs=(self.network.source(node),))
            output = None if twin else self.formats[node.output].exponents[0]
            unit = self.network.unit(node)
            made, bank = low_conv(node, layer.integers(unit), output, twin)
        else:
            made = replace(
                node,
                weight=layer.weight.detach().float().numpy(),
                bias=layer.bias.detach().float().numpy(),
                weight_format=_format(layer.quantizer),
            )
            bank = self._behind(layer, twin) if twin else None
        if bank is not None:
            self.comparators[node.output] = bank
        return made

    def _behind(self, layer: ConvLayer, twin: Deployed) -> Comparators:
        """Return the comparators behind a layer with power-of-two scales, bias included."""
        step = self.network.quantizer(layer.node.inputs[0]).scale()
        unit = (step * layer.quantizer.scale()).expand(len(layer.bias)).numpy()
        return Comparators.of(layer.node, twin, unit, np.zeros(len(unit)))

    def _finished(self, graph: QuantGraph, node: Node) -> Node:
        """Return a node that rounds as the trained one does, or compares.

        Pools round down, two-stage layers twice.
        """
        network = self.network
        if isinstance(node, AveragePool):
            return replace(node, requantize=replace(node.requantize, rounding=Rounding.FLOOR))
        if isinstance(node, Conv) and node.output in self.comparators:
            return self.comparators[node.output].behind(node)
        if isinstance(node, Conv) and network.precision.two_stage and network.has_layer(node.name):
            return self._rounding_twice(graph, node)
        return node

    def _rounding_twice(self, graph: QuantGraph, node: Conv) -> Conv:
        network = self.network
        layer, (source,) = network.layer(node.name), node.inputs
        log2_t = float(layer.middle_log2_t(network.quantizer(source).scale()).detach())
        middle = Tqt(log2_t=(log2_t,), bits=16, signed=True)
        acc = tuple(step + graph.tensors[source].exponent for step in node.weight_exponent)
        shifts = two_stage_form(acc, middle, network.quantizer(node.output).deployed())
        limits = node.requantize.out_low, node.requantize.out_high
        return replace(
            node,
            bias=np.zeros_like(node.bias),
            mid_bias=middle.codes(layer.bias.detach().numpy()).astype(np.int16),
            requantize=replace(shifts, out_low=limits[0], out_high=limits[1]),
        )


def _format(quantizer: TqtQuantizer) -> Format:
    form = quantizer.deployed()
    return Format(
        bits=form.bits,
        signed=form.signed,
        exponents=form.exponents,
        low=form.low,
        high=form.high,
    )
