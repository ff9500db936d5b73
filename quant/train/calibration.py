"""Where training starts: every quantizer of a network set from data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import float_graph as fg
from .coded import Coded
from .low_conv import LowConv

if TYPE_CHECKING:
    from .network import Network

__all__ = ["calibrate"]

Array = NDArray[Any]


def calibrate(network: "Network", samples: Mapping[str, Array]) -> None:
    """Set all quantizers in topological order, each on what quantized layers before it make.

    TQT's weights start as ``weight_method`` says, its activations by KL-J; tensors that share a
    quantizer are calibrated together. A method's own quantizers start where they err least, and
    norms take the statistics of quantized sums, so that these come out as float ones do.

    Parameters
    ----------
    network : Network
        Set in place.
    samples : mapping
        For each input data in the model's own layout.
    """
    with torch.no_grad():
        inputs = {name: network.encode(name, samples[name]) for name in network.graph.inputs}
        network.plain(inputs, describe=True)
        for layer in network.layers:
            if isinstance(layer, LowConv):
                layer.initialise()
            else:
                layer.initialise(network.weight_method)
        _Walk(network, inputs).run()


class _Walk:
    """One walk through a network, in topological order."""

    def __init__(self, network: "Network", inputs: Mapping[str, Tensor]) -> None:
        self.network = network
        self.makers = {node.output: node for node in network.nodes()}
        #: Sums that wait until all of a quantizer's tensors are there.
        self.raw: dict[str, Tensor | Coded] = dict(inputs)
        self.values: dict[str, Coded] = {}
        self.done: set[str] = set()

    def run(self) -> None:
        """Settle every tensor, as late as it can be."""
        for node in self.network.nodes():
            for name in node.inputs:
                self.settle(name)
            self.raw[node.output] = self.sums(node)
        for name in list(self.raw):
            self.settle(name)

    def sums(self, node: fg.FloatNode) -> Tensor | Coded:
        """Return what a node makes; layers with formats inside are calibrated on their input."""
        network = self.network
        if isinstance(node, fg.Conv):
            x, layer = self.values[network.source(node)], network.layer(node.name)
            if isinstance(layer, LowConv):
                layer.match(x)
            else:
                layer.calibrate_middle(x.values(), x.unit)
        return network.run(node, self.values)

    def settle(self, name: str) -> None:
        """Make a tensor's codes; calibrate its quantizer if it is the first that needs it."""
        if name in self.values:
            return
        network, raw = self.network, self.raw[name]
        if not isinstance(raw, Coded):
            self.initialise(name, raw)
        node = self.makers.get(name)
        coded = network.quantizer(name).coded(raw) if node is None else self.finish(node, raw)
        if name in network.plan.codes and name not in network.plan.inner:
            network.code_quantizer(name).initialise(_data([coded.values()]))
        network.note(self.values, name, coded)

    def finish(self, node: fg.FloatNode, raw: Tensor | Coded) -> Coded:
        """Return sums as codes; a wide one has the format of another tensor, which is settled."""
        if node.output in self.network.plan.wide:
            self.settle(self.network.plan.wide[node.output])
        return self.network.finished(node, raw)

    def initialise(self, name: str, raw: Tensor) -> None:
        """Calibrate the quantizer of a tensor."""
        plan = self.network.plan
        if name in plan.inner:
            self.network.code_quantizer(name).initialise(_data([raw]))
            return
        group = plan.quantizer[name]
        if name in plan.wide or group in self.done:
            return
        self.done.add(group)
        together = [self.raw[n] for n in plan.members[group] if n in self.raw]
        self.network.quantizer(name).initialise(
            _data([r for r in together if isinstance(r, Tensor)]), "kl-j"
        )


def _data(tensors: list[Tensor]) -> Array:
    return np.concatenate([tensor.numpy().ravel() for tensor in tensors])
