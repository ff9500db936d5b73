"""Roundings of the machine as ONNX nodes on floats."""

import numpy as np

from ..isa.requantize import Rounding
from .export_thresholds import Nodes

__all__ = ["add_rounding"]


def add_rounding(nodes: Nodes, values: str, output: str, rounding: Rounding) -> str:
    """Add what rounds values to integers, and return its output.

    Parameters
    ----------
    nodes : Nodes
        Takes the nodes.
    values : str
        Multiples of a power of two, exact in float32 with one bit to spare.
    output : str
        Prefix of names.
    rounding : Rounding
        How.
    """
    result = f"{output}/rounded"
    if rounding in (Rounding.HALF_EVEN, Rounding.FLOOR):
        return nodes.add("Round" if rounding is Rounding.HALF_EVEN else "Floor", [values], result)
    half = nodes.constant("value/half", np.array(0.5, np.float32))
    if rounding is Rounding.HALF_UP:
        raised = nodes.add("Add", [values, half], f"{output}/raised")
        return nodes.add("Floor", [raised], result)
    size = nodes.add("Abs", [values], f"{output}/size")
    raised = nodes.add("Add", [size, half], f"{output}/raised")
    whole = nodes.add("Floor", [raised], f"{output}/whole")
    sign = nodes.add("Sign", [values], f"{output}/sign")
    return nodes.add("Mul", [whole, sign], result)
