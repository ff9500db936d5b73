"""Import of models that are quantized already: every integer as the model prescribes it."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import float_graph as fg
from ..errors import ModelError
from ..feature_maps import feature_maps
from ..float_graph import FloatGraph, FloatNode
from ..graph import QuantGraph
from ..rewrite import drop_dead
from ..staircases import Uniform
from ..thresholds import exponent, max_threshold
from ..transforms import fold_pads, join_slices
from .walk import walk

__all__ = ["exact_maps", "has_staircases", "lower"]

Array = NDArray[Any]


def has_staircases(graph: FloatGraph) -> bool:
    """Return whether a model has quantizers with scales of their own, as QONNX models have."""
    return any(isinstance(node, fg.Staircase) for node in graph.nodes)


def exact_maps(graph: FloatGraph) -> FloatGraph:
    """Return an imported graph as feature maps, with every factor in its place."""
    nodes = tuple(_as_staircase(node) for node in graph.nodes)
    graph = feature_maps(drop_dead(replace(graph, nodes=nodes)))
    return join_slices(fold_pads(graph))


def _as_staircase(node: FloatNode) -> FloatNode:
    if not isinstance(node, fg.Quantize):
        return node
    step = Fraction(2) ** node.format.exponents[0]
    rule = Uniform(step=step, low=node.format.low, high=node.format.high)
    return fg.Staircase(
        name=node.name, inputs=node.inputs, output=node.output, rule=rule, scale=step
    )


def lower(graph: FloatGraph, samples: Callable[[str], Array]) -> QuantGraph:
    """Return the integers of a quantized model.

    Parameters
    ----------
    graph : FloatGraph
        As imported, or the feature maps of :func:`exact_maps`.
    samples : callable
        Returns samples of an input that the model does not quantize: it gets 8-bit codes that
        hold the largest of them.

    Raises
    ------
    UnsupportedError
        Something cannot be made exactly.
    """
    if not graph.edges:
        graph = exact_maps(graph)

    def fallback(name: str) -> tuple[bool, int]:
        values = np.asarray(samples(name), np.float32)
        if not values.size or not np.isfinite(values).all():
            raise ModelError("SL-Q111", "no samples, or NaN or infinite values", node=name)
        signed = bool(values.min() < 0)
        return signed, exponent(max_threshold(values), 8, signed)

    return walk(graph, fallback)
