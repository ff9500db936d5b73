"""From a trained network to the quantized graph that the compiler takes."""

from dataclasses import replace

import numpy as np

from ...isa.requantize import Rounding
from .. import float_graph as fg
from ..calibrator import Options
from ..float_graph import FloatNode, Format
from ..graph import AveragePool, Conv, Node, QuantGraph
from ..quantizers.tqt import Tqt, two_stage_form
from ..static import quantize_graph
from .network import TqtNetwork
from .tqt import TqtQuantizer

__all__ = ["export_network"]


def export_network(network: TqtNetwork) -> QuantGraph:
    """Return a trained network as integers: layers round once or twice, by shifts alone.

    The trained formats are prescribed to static quantization, which then has nothing to choose.

    Raises
    ------
    ModelError
        A shift between two formats lies outside what the machine has.
    """
    formats = {
        name: _format(network.quantizer(name))
        for names in network.plan.members.values()
        for name in names
    }
    nodes = tuple(_trained(network, node) for node in network.graph.nodes)
    graph = replace(network.graph, nodes=nodes, formats=formats)
    samples = {
        name: np.zeros((1, *graph.edges[name].shape[1:]), np.float32) for name in graph.inputs
    }
    made = quantize_graph(graph, samples, Options())
    return replace(made, nodes=tuple(_finished(network, made, node) for node in made.nodes))


def _format(quantizer: TqtQuantizer) -> Format:
    form = quantizer.deployed()
    return Format(
        bits=form.bits,
        signed=form.signed,
        exponents=form.exponents,
        low=form.low,
        high=form.high,
    )


def _trained(network: TqtNetwork, node: FloatNode) -> FloatNode:
    if not isinstance(node, fg.Conv):
        return node
    layer = network.layer(node.name)
    return replace(
        node,
        weight=layer.weight.detach().float().numpy(),
        bias=layer.bias.detach().float().numpy(),
        weight_format=_format(layer.quantizer),
    )


def _finished(network: TqtNetwork, graph: QuantGraph, node: Node) -> Node:
    """Return a node that rounds as the trained one does: pools down, two-stage layers twice."""
    if isinstance(node, AveragePool):
        return replace(node, requantize=replace(node.requantize, rounding=Rounding.FLOOR))
    if isinstance(node, Conv) and network.precision.two_stage and network.has_layer(node.name):
        return _rounding_twice(network, graph, node)
    return node


def _rounding_twice(network: TqtNetwork, graph: QuantGraph, node: Conv) -> Conv:
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
