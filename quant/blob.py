"""A quantized graph as bytes, for other files to carry; unlike QDQ it can say everything."""

import json
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .errors import ModelError
from .graph import QuantGraph
from .store import from_description, to_description

__all__ = ["graph_from_bytes", "graph_to_bytes"]

KEY = "graph"


def graph_to_bytes(graph: QuantGraph) -> bytes:
    """Return everything a graph holds; equal graphs give equal bytes."""
    description, arrays = to_description(graph)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, {KEY: description})


def graph_from_bytes(data: bytes) -> QuantGraph:
    """Return the graph that :func:`graph_to_bytes` wrote.

    Raises
    ------
    ModelError
        The bytes are damaged.
    """
    try:
        arrays: dict[str, Any] = load(data)
        length = int.from_bytes(data[:8], "little")
        description = json.loads(data[8 : 8 + length])["__metadata__"][KEY]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ModelError("SL-Q113", f"no quantized graph: {error}"[:200]) from None
    return from_description(description, arrays)
