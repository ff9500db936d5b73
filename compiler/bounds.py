"""Proof that no sum can leave 32 bits, from the weights and the range of the inputs."""

import numpy as np

from ..isa.thresholds import NEVER
from .errors import CompileError
from .ops import ArrayOp, Op, VectorOp, View

__all__ = ["check_bounds"]

LIMIT = (1 << 31) - 1


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
            weight = np.abs(source.weight.astype(np.int64)).sum(axis=(1, 2, 3))
            largest = largest + weight * _reach(source.view, 256)
    elif isinstance(op, VectorOp):
        weight = np.abs(op.taps).sum(axis=(1, 2))
        largest = largest + weight * _reach(op.source, 255)
    channel, limit = int(largest.argmax()), NEVER - 1 if op.thresholds else LIMIT
    if largest[channel] > limit:
        raise CompileError(
            f"{op.name}: the accumulator of output channel {channel} can reach "
            f"{int(largest[channel])}, beyond {limit}; use fewer weight bits or a smaller bias"
        )


def _reach(view: View, unsigned: int) -> int:
    """Return the largest magnitude of an operand.

    The array takes unsigned operands minus 128, and the bias makes up for it: together that can
    reach 256 times the weights.
    """
    return 128 if view.map.signed else unsigned
