"""Tensors that are part of another tensor's storage: concatenation and slicing for nothing."""

from collections.abc import Sequence

from ..quant.graph import Concat, Host, Node, QuantGraph, Slice

__all__ = ["aliases"]


def aliases(
    graph: QuantGraph, nodes: Sequence[Node], columns: int, outputs: set[str]
) -> dict[str, tuple[str, int]]:
    """Return for tensors that live inside another: that tensor, and the block they start at.

    Inputs of a concatenation are written where they end up, if they start on a block of
    ``columns`` channels, are made by this segment, and are not part of another tensor already.
    Slices of whole blocks are views of their input, unless they are ``outputs``.
    """
    found: dict[str, tuple[str, int]] = {}
    made = {node.output for node in nodes if not isinstance(node, Host)}
    for node in nodes:
        if not isinstance(node, Slice) or node.output in outputs:
            continue
        if _whole_blocks(graph, node, columns):
            found[node.output] = (node.inputs[0], node.start[0] // columns)
    for node in nodes:
        if isinstance(node, Concat) and _aligned(graph, node, columns):
            _parts(graph, node, columns, made, found)
    return found


def _parts(
    graph: QuantGraph,
    node: Concat,
    columns: int,
    made: set[str],
    found: dict[str, tuple[str, int]],
) -> None:
    channel = 0
    for name in node.inputs:
        if name in made and name not in found and node.inputs.count(name) == 1:
            found[name] = (node.output, channel // columns)
        channel += graph.tensors[name].shape[0]


def _aligned(graph: QuantGraph, node: Concat, columns: int) -> bool:
    sizes = [graph.tensors[name].shape[0] for name in node.inputs]
    return all(size % columns == 0 for size in sizes[:-1])


def _whole_blocks(graph: QuantGraph, node: Slice, columns: int) -> bool:
    channels, height, width = graph.tensors[node.inputs[0]].shape
    whole = node.start[1:] == (0, 0) and node.stop[1:] == (height, width)
    plain = node.step == (1, 1, 1) and node.start[0] % columns == 0
    ends = node.stop[0] % columns == 0 or node.stop[0] == channels
    return whole and plain and ends
