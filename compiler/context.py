"""What lowering knows of a segment, whatever the node."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..isa.config import Config
from ..isa.instructions import VectorOperation
from ..isa.requantize import Requantize
from ..quant.graph import Conv, Node, QuantGraph, TensorType
from .ops import Codes, Map, Op, VectorOp, View
from .planes import plane_map, plane_tensors
from .views import aliases

__all__ = ["Context", "identity", "zeros"]


def zeros(count: int) -> Codes:
    """Return no bias."""
    return np.zeros(count, np.int64)


def identity(tensor: TensorType) -> Requantize:
    """Return the requantization that changes no code of a tensor."""
    return Requantize(out_low=tensor.low, out_high=tensor.high)


class Context:
    """What the lowering of every node shares: the network, where tensors lie, operations so far."""

    def __init__(
        self,
        graph: QuantGraph,
        nodes: Sequence[Node],
        config: Config,
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        self.graph, self.nodes, self.config = graph, nodes, config
        self.uses = Counter(name for node in nodes for name in node.inputs)
        self.uses.update(name for node in graph.nodes for name in node.inputs if node not in nodes)
        self.uses.update(graph.outputs)
        self.alias = aliases(graph, nodes, config.columns, set(outputs))
        self.folded = {name for name in inputs if self._folds(name)}
        self.unrolled: dict[str, tuple[int, ...]] = {}
        self.rows: dict[str, int] = {}
        for name in sorted(self.folded):
            self._unroll(name)
        kept = {*inputs, *outputs, *self.alias, *(root for root, _ in self.alias.values())}
        self.planes = plane_tensors(graph, nodes, config, kept)
        self.ops: list[Op] = []

    def _folds(self, name: str) -> bool:
        """Return whether an input is better read row by row, channels folded with columns."""
        users = [node for node in self.nodes if name in node.inputs]
        channels, rows = self.graph.tensors[name].shape[0], self.config.rows
        if self.config.serial:  # reads whole words
            return False
        if name not in self.graph.inputs or not users or name in self.graph.outputs:
            return False
        if any(name in node.inputs for node in self.graph.nodes if node not in self.nodes):
            return False
        for node in users:
            if not isinstance(node, Conv) or node.groups > 1 or node.dilation[1] > 1:
                return False
            width = node.weight.shape[3]
            if -(-channels * width // rows) >= width or node.stride[1] * channels >= 1 << 9:
                return False
        return channels < rows

    def view(self, name: str) -> View:
        """Return where a tensor lies; all its planes, if it is stored as such."""
        if name in self.planes:
            storage = plane_map(name, self.graph.tensors[name], self.config)
            return View(map=storage, block=0, channels=storage.channels)
        shape, block, root = self.graph.tensors[name].shape, 0, name
        while root in self.alias:
            root, offset = self.alias[root]
            block += offset
        tensor = self.graph.tensors[root]
        channels, height, width = tensor.shape
        if unroll := self.unrolled.get(root, ()):
            channels, height = channels * unroll[0], self.rows[root]
            return View(map=self._map(root, channels, height, width), block=0, channels=channels)
        return View(map=self._map(root, *tensor.shape), block=block, channels=shape[0])

    def _map(self, root: str, channels: int, height: int, width: int) -> Map:
        return Map(
            name=root,
            channels=channels,
            height=height,
            width=width,
            signed=self.graph.tensors[root].signed,
            folded=root in self.folded,
            unroll=self.unrolled.get(root, ()),
        )

    def _unroll(self, name: str) -> None:
        """Fold kernel rows into the channels of an input too, where that takes fewer tiles."""
        users = [node for node in self.nodes if name in node.inputs]
        node, rows = users[0], self.config.rows
        if len(users) > 1 or not isinstance(node, Conv):
            return
        channels, kernel, width = node.weight.shape[1:]
        whole, by_row = -(-channels * kernel * width // rows), -(-channels * width // rows)
        inside = self.graph.tensors[name].shape[2] * channels * kernel < 1 << 16
        if whole < kernel * by_row and inside and node.stride[1] * channels * kernel < 1 << 9:
            self.unrolled[name] = (kernel, node.stride[0], node.dilation[0], node.padding[0])
            self.rows[name] = self.graph.tensors[node.output].shape[1]

    def common(self, node: Node, operator: str, output: str | None = None) -> dict[str, Any]:
        """Return what every operation has; its requantization changes nothing."""
        name = output or node.output
        tensor = self.graph.tensors[name]
        return {
            "name": node.name,
            "operator": operator,
            "tensor": name,
            "out": self._out(name),
            "height": tensor.shape[1],
            "width": tensor.shape[2],
            "bias": zeros(tensor.shape[0]),
            "mid_bias": zeros(tensor.shape[0]),
            "requantize": identity(tensor),
        }

    def _out(self, name: str) -> View:
        return replace(self.view(name), channels=self.graph.tensors[name].shape[0])

    def vector(
        self,
        node: Node,
        common: dict[str, Any],
        taps: Codes,
        operation: VectorOperation = VectorOperation.SUM,
    ) -> None:
        """Add an operation of the vector unit that reads the node's first input."""
        source = self.view(node.inputs[0])
        tensor = node.inputs[0]
        if source.map.folded:
            raise AssertionError(f"{node.name} cannot read a folded map")
        self.ops.append(
            VectorOp(**common, source=source, source_tensor=tensor, operation=operation, taps=taps)
        )
