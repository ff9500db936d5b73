"""What training made of each layer: bits, scales, and the error that is left."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from .. import float_graph as fg
from ..layer_report import LayerReport, sqnr
from .low_conv import LowConv
from .network import Network
from .teacher import Teacher

__all__ = ["layer_reports"]

Array = NDArray[Any]


@torch.no_grad()
def layer_reports(network: Network, samples: Mapping[str, Array]) -> list[LayerReport]:
    """Return a report on each trained convolution, in the order of the graph.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    samples : mapping
        For each input some samples in the model's own layout.
    """
    inputs = {name: network.encode(name, samples[name]) for name in network.graph.inputs}
    coded = network.coded(inputs)
    floats = Teacher(network.graph).tensors(*(inputs[name] for name in network.graph.inputs))
    reports = []
    for node in network.nodes():
        if not isinstance(node, fg.Conv) or node.name not in network.plan.weight_bits:
            continue
        found = coded[node.output]
        reports.append(
            LayerReport(
                layer=node.name,
                weight_bits=network.plan.weight_bits[node.name],
                input_bits=_bits(network, network.source(node)),
                output_bits=_bits(network, node.output),
                output="comparators" if node.output in network.plan.inner else "shift",
                weight_scale=_weight_scale(network, node),
                output_scale=float(found.unit),
                sqnr=sqnr(floats[node.output].numpy(), found.values().numpy()),
            )
        )
    return reports


def _bits(network: Network, name: str) -> int:
    plan, source = network.plan, name.removesuffix("/low")
    if name in plan.inner or source != name:
        return network.precision.activation_bits
    return 16 if name in plan.wide else plan.bits[plan.quantizer[name]]


def _weight_scale(network: Network, node: fg.Conv) -> float:
    layer = network.layer(node.name)
    if isinstance(layer, LowConv):
        return float(layer.quantizer.coded(layer.weight).unit.mean())
    return float(layer.quantizer.scale().mean())
