"""Tensors whose codes are sums of signed values: the bit array takes them in fewest passes."""

from dataclasses import replace

import numpy as np

from ..isa.thresholds import Thresholds
from .graph import Conv, QuantGraph

__all__ = ["mark_bipolar", "reachable"]


def mark_bipolar(graph: QuantGraph) -> QuantGraph:
    """Return a graph whose tensors say where thresholds make nothing but bipolar codes.

    Codes stay what they are: -1 and +1 are one bit of a bipolar tensor, and two of an ordinary one.
    """
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        if isinstance(node, Conv) and node.thresholds is not None:
            tensor = tensors[node.output]
            values = _values(reachable(node.thresholds))
            if values and tensor.signed and not tensor.bipolar and sum(values) <= tensor.high:
                tensors[node.output] = replace(tensor, bipolar=values)
    return replace(graph, tensors=tensors)


def reachable(bank: Thresholds) -> set[int]:
    """Return the codes that thresholds can make: those between equal ones are never made."""
    steps = np.diff(bank.values.astype(np.int64), axis=1) > 0
    between = {bank.low + 1 + int(k) for k in np.flatnonzero(steps.any(axis=0))}
    return {bank.low, bank.high} | between


def _values(codes: set[int]) -> tuple[int, ...]:
    """Return the one or two values whose signed sums are these codes; none if there are none."""
    positive = sorted(code for code in codes if code > 0)
    if codes != {*positive, *(-code for code in positive)}:
        return ()
    if len(positive) == 1:
        return (positive[0],)
    if len(positive) != 2 or sum(positive) % 2:
        return ()
    small, large = positive  # the difference and the sum of the values
    return (large + small) // 2, (large - small) // 2
