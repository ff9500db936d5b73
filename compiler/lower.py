"""From nodes of the quantized graph to operations with an engine each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..isa.config import Config
from ..quant.graph import (
    Add,
    AveragePool,
    Concat,
    Conv,
    MaxPool,
    Node,
    Pad,
    QuantGraph,
    Slice,
)
from . import lower_layers, lower_moves
from .context import Context
from .errors import CompileError
from .ops import Op, View

__all__ = ["lower"]

_LOWERINGS: Mapping[type[Node], Callable[[Context, Any], None]] = {
    Conv: lower_layers.conv,
    Add: lower_layers.add,
    MaxPool: lower_layers.max_pool,
    AveragePool: lower_layers.average_pool,
    Concat: lower_moves.concat,
    Pad: lower_moves.pad,
    Slice: lower_moves.slice_,
}


def lower(
    graph: QuantGraph,
    nodes: Sequence[Node],
    config: Config,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> tuple[list[Op], dict[str, View]]:
    """Return the operations of a segment, in the order of its nodes, and where its edges lie.

    Parameters
    ----------
    graph : QuantGraph
        For the tensors' types.
    nodes : sequence of Node
        The segment: nodes that the machine runs, in topological order.
    config : Config
        Gives the block size.
    inputs, outputs : sequence of str
        Tensors in external memory before the segment starts, and after it.
    """
    context = Context(graph, nodes, config, inputs, outputs)
    for node in nodes:
        _LOWERINGS[type(node)](context, node)
    for op in context.ops:
        if graph.tensors[op.tensor].bits > 8:
            raise CompileError(f"{op.name}: more than 8 bits that no addition in its drain takes")
    return context.ops, {name: context.view(name) for name in (*inputs, *outputs)}
