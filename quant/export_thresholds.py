"""Threshold requantization as ONNX nodes: sums as integers, compared, counted."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from .graph import Conv

__all__ = ["Nodes", "add_comparisons"]


class Nodes(Protocol):
    """What collects nodes and constants; all return the name of what they add."""

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node."""

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant."""

    def integers(self, values: Sequence[int]) -> str:
        """Add a constant vector of integers."""


def add_comparisons(nodes: Nodes, node: Conv, source: int, acc: str, output: str) -> str:
    """Add what makes codes, in float, of a convolution's sums; return their name.

    Parameters
    ----------
    nodes : Nodes
        Takes the nodes.
    node : Conv
        The layer, with thresholds.
    source : int
        Exponent of its input.
    acc : str
        Its sums with bias, exact in float32: ``(batch, channels, height, width)``.
    output : str
        Prefix of names.
    """
    bank = node.thresholds
    assert bank is not None
    exponents = np.array(node.weight_exponent).reshape(-1, 1, 1) + source
    steps = nodes.constant(f"{output}/steps", np.ldexp(1.0, -exponents).astype(np.float32))
    scaled = nodes.add("Mul", [acc, steps], f"{output}/scaled")
    sums = nodes.add("Cast", [scaled], f"{output}/integers", to=onnx.TensorProto.INT32)
    each = nodes.add("Unsqueeze", [sums, nodes.integers((4,))], f"{output}/each")
    values = nodes.constant(f"{node.output}/thresholds", bank.values)
    pixels = nodes.add("Unsqueeze", [values, nodes.integers((1, 2))], f"{output}/pixels")
    reached = nodes.add("GreaterOrEqual", [each, pixels], f"{output}/reached")
    ones = nodes.add("Cast", [reached], f"{output}/ones", to=onnx.TensorProto.FLOAT)
    count = nodes.add("ReduceSum", [ones, nodes.integers((4,))], f"{output}/count", keepdims=0)
    low = nodes.constant(f"value/{bank.low}", np.array(bank.low, np.float32))
    return nodes.add("Add", [count, low], f"{output}/compared")
