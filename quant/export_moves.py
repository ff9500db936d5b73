"""Nodes that choose or move codes, and compute nothing, as ONNX nodes."""

from .export_thresholds import Nodes
from .graph import Concat, MaxPool, Node, Pad, Slice

__all__ = ["add_move"]


def add_move(nodes: Nodes, node: Node, inputs: list[str], output: str) -> None:
    """Add what a node does.

    Parameters
    ----------
    nodes : Nodes
        Takes the nodes.
    node : MaxPool, Concat, Pad or Slice
        The node.
    inputs : list of str
        Its inputs, in the names of ONNX.
    output : str
        Its output.

    Raises
    ------
    TypeError
        Another kind of node.
    """
    if isinstance(node, MaxPool):
        nodes.add(
            "MaxPool",
            inputs,
            output,
            kernel_shape=node.kernel,
            strides=node.stride,
            dilations=node.dilation,
            pads=node.padding,
        )
    elif isinstance(node, Concat):
        nodes.add("Concat", inputs, output, axis=1)
    elif isinstance(node, Pad):
        pads = nodes.integers((0, *node.before, 0, *node.after))
        nodes.add("Pad", [*inputs, pads], output)
    elif isinstance(node, Slice):
        bounds = [nodes.integers(v) for v in (node.start, node.stop, (1, 2, 3), node.step)]
        nodes.add("Slice", [*inputs, *bounds], output)
    else:
        raise TypeError(type(node).__name__)
