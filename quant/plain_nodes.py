"""Nodes of the float graph that make no codes of their own, as nodes of the quantized graph."""

from . import float_graph as fg
from . import weights
from .float_graph import FloatNode
from .graph import Host, MaxPool, Node, Pad, Slice, TensorType

__all__ = ["kept", "on_host"]


def on_host(node: fg.Host, inputs: tuple[str, ...]) -> Host:
    """Return a node of the host on tensors of a quantized graph."""
    return Host(
        name=node.name,
        inputs=inputs,
        output=node.output,
        op=node.op,
        reason=node.reason,
        model=node.model,
        requantized=node.requantized,
    )


def kept(node: FloatNode, tensor: TensorType) -> Node:
    """Return a node whose output has the format of its input.

    Parameters
    ----------
    node : MaxPool, Pad, Slice or Shuffle
        The node on feature maps.
    tensor : TensorType
        Its output.
    """
    if isinstance(node, fg.MaxPool):
        return MaxPool(
            name=node.name,
            inputs=node.inputs,
            output=node.output,
            kernel=node.kernel,
            stride=node.stride,
            dilation=node.dilation,
            padding=node.padding,
        )
    if isinstance(node, fg.Pad):
        before, after = node.before[1:], node.after[1:]
        return Pad(
            name=node.name,
            inputs=node.inputs,
            output=node.output,
            before=(before[0], before[1], before[2]),
            after=(after[0], after[1], after[2]),
        )
    if isinstance(node, fg.Slice):
        start, stop, step = (tuple(v[1:4]) for v in (node.start, node.stop, node.step))
        return Slice(
            name=node.name,
            inputs=node.inputs,
            output=node.output,
            start=(start[0], start[1], start[2]),
            stop=(stop[0], stop[1], stop[2]),
            step=(step[0], step[1], step[2]),
        )
    if isinstance(node, fg.Shuffle):
        return weights.shuffling(node, tensor)
    raise TypeError(type(node).__name__)
