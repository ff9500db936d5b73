"""Proof that no sum can leave 32 bits, from the weights and the range of the inputs."""

import numpy as np
from numpy.typing import NDArray

from ..isa.thresholds import NEVER
from .errors import CompileError
from .ops import ArrayOp, Op, Source, VectorOp, View

__all__ = ["check_bounds"]

LIMIT = (1 << 31) - 1

#: Weights that are looked at together.
_AT_ONCE = 1 << 18


def check_bounds(op: Op) -> None:
    """Check accumulators and biased sums of an operation; thresholds bound them a little more.

    Raises
    ------
    CompileError
        A sum could overflow; names the layer, the channel and the bound.
    """
    largest = np.abs(op.bias)
    if isinstance(op, ArrayOp):
        for source in op.sources:
            largest = largest + _magnitudes(source.weight) * _source_reach(source)
    elif isinstance(op, VectorOp):
        weight = np.abs(op.taps).sum(axis=(1, 2))
        largest = largest + weight * _reach(op.source, 255)
    channel, limit = int(largest.argmax()), NEVER - 1 if op.thresholds else LIMIT
    if largest[channel] > limit:
        raise CompileError(
            f"{op.name}: the accumulator of output channel {channel} can reach "
            f"{int(largest[channel])}, beyond {limit}; use fewer weight bits or a smaller bias"
        )


def _magnitudes(weight: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the sum of the magnitudes of each output channel's weights, a few at a time."""
    flat = weight.reshape(len(weight), -1)
    step = max(1, _AT_ONCE // max(1, flat.shape[1]))
    parts = (flat[k : k + step].astype(np.int16) for k in range(0, len(flat), step))
    return np.concatenate([np.abs(part).sum(1, dtype=np.int64) for part in parts])


def _source_reach(source: Source) -> int:
    """Return the largest magnitude of an operand of the arrays; sums of planes pass 4 times it."""
    return 4 * source.bits.reach if source.bits else _reach(source.view, 256)


def _reach(view: View, unsigned: int) -> int:
    """Return the largest magnitude of an operand.

    The array takes unsigned operands minus 128, and the bias makes up for it: together that can
    reach 256 times the weights.
    """
    return 128 if view.map.signed else unsigned
