"""The float network that a quantized one is to resemble."""

from typing import Any

import torch
from torch import Tensor

from .. import float_graph as fg
from ..float_graph import FloatGraph
from .layers import clamp, convolve, run_plain

__all__ = ["Teacher"]


class Teacher:
    """Runs a float graph as it was given, without gradients.

    Parameters
    ----------
    graph : FloatGraph
        Feature maps, fused; host operators at its end are left out.
    """

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.nodes = [node for node in graph.nodes if not isinstance(node, fg.Host)]
        self.weights = {
            node.name: (torch.from_numpy(node.weight.copy()), torch.from_numpy(node.bias.copy()))
            for node in self.nodes
            if isinstance(node, fg.Conv)
        }

    @torch.no_grad()
    def tensors(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Return every tensor, for inputs as feature maps."""
        values: dict[str, Any] = dict(zip(self.graph.inputs, inputs, strict=True))
        for node in self.nodes:
            given = [values[name] for name in node.inputs]
            if isinstance(node, fg.Conv):
                weight, bias = (part.to(given[0].dtype) for part in self.weights[node.name])
                total = convolve(node, given[0], weight, bias)
                values[node.output] = clamp(total, node.low, node.high)
            else:
                values[node.output] = run_plain(node, given)
        return values

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the first output, ``(batch, values)``."""
        output, hosts = self.graph.outputs[0], {}
        for node in self.graph.nodes:
            if isinstance(node, fg.Host):
                hosts[node.output] = node.inputs[0]
        while output in hosts:
            output = hosts[output]
        return self.tensors(*inputs)[output].flatten(1)
