"""Between the layouts of a user's model and feature maps, for whole batches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .graph import EdgeLayout

__all__ = ["decode_layout", "encode_layout"]

Array = NDArray[Any]


def encode_layout(values: Array, edge: EdgeLayout, shape: tuple[int, ...]) -> Array:
    """Return a batch of the model's tensors as feature maps ``(batch, channels, height, width)``.

    Raises
    ------
    ModelError
        The values have another shape than the model's input.
    """
    if values.shape[1:] != edge.shape[1:]:
        raise ModelError(
            "SL-Q111",
            f"values of shape {values.shape}",
            allowed=f"(samples, {', '.join(str(size) for size in edge.shape[1:])})",
        )
    if edge.permutation:
        values = values.transpose(0, *(axis + 1 for axis in edge.permutation))
    return np.ascontiguousarray(values).reshape(len(values), *shape[-3:])


def decode_layout(values: Array, edge: EdgeLayout) -> Array:
    """Return feature maps as a batch of the model's tensors."""
    sizes = edge.shape[1:]
    if edge.permutation:
        turned = values.reshape(len(values), *(sizes[axis] for axis in edge.permutation))
        values = turned.transpose(0, *(int(a) + 1 for a in np.argsort(edge.permutation)))
    return values.reshape(len(values), *sizes)
