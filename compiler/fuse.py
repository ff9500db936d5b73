"""Fusion: an addition whose operand is a convolution happens while the accumulators drain."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..isa.instructions import VectorOperation
from ..isa.requantize import MID_HIGH, MID_LOW, Requantize
from ..quant.graph import Add
from .errors import CompileError
from .ops import ArrayOp, Op, Residual, VectorOp, View

__all__ = ["fused_add", "sum_requantize"]

#: Largest left shift of a residual, and largest right shift of the second stage.
MAX_RESIDUAL_SHIFT, MAX_OUT_SHIFT = 7, 15


def fused_add(
    node: Add,
    ops: list[Op],
    uses: Counter[str],
    view: Callable[[str], View],
    common: dict[str, Any],
) -> tuple[Op, Op] | None:
    """Return a convolution and what replaces it, or None where the machine cannot fuse.

    The first stage makes the convolution's codes, the residual is added, the second stage
    requantizes the sum: exactly the addition's arithmetic, when the convolution's own codes need
    no shift and come from the first stage.
    """
    positions = {op.tensor: index for index, op in enumerate(ops)}
    known = [name for name in node.inputs if name in positions]

    def preference(name: str) -> tuple[bool, int]:
        # What has 16 bits cannot be stored, so it is never the residual; else the later one.
        return _wide(ops[positions[name]]), positions[name]

    for name in sorted(known, key=preference, reverse=True):
        index = node.inputs.index(name)
        op, other = ops[positions[name]], node.inputs[1 - index]
        shift = node.shifts[1 - index]
        if uses[name] > 1 or node.shifts[index] or shift > MAX_RESIDUAL_SHIFT:
            continue
        if op.residual or op.thresholds or name == other or not _sums(op):
            continue
        fused = _stages(op.requantize, node.requantize)
        if fused is None or op.mid_bias.any():
            continue
        residual = Residual(tensor=other, view=view(other), shift=shift)
        return op, replace(
            op,
            operator=f"{op.operator} + add",
            tensor=node.output,
            out=common["out"],
            requantize=fused,
            residual=residual,
        )
    return None


def _wide(op: Op) -> bool:
    """Return whether an operation makes codes of 16 bits."""
    low, high = _both_clamps(op.requantize)
    return low < -128 or high > 255


def _sums(op: Op) -> bool:
    return isinstance(op, ArrayOp) or (
        isinstance(op, VectorOp) and op.operation is VectorOperation.SUM
    )


def _stages(conv: Requantize, add: Requantize) -> Requantize | None:
    """Return both requantizations as two stages of one, or None."""
    (shift,) = add.shift
    if conv.out_shift or (shift and add.out_shift) or shift > MAX_OUT_SHIFT:
        return None
    if conv.rounding != add.rounding and shift:
        return None
    if add.out_shift and (add.low, add.high) != (MID_LOW, MID_HIGH):
        return None
    low, high = _both_clamps(conv)
    out_low, out_high = (add.out_low, add.out_high) if add.out_shift else _both_clamps(add)
    out_shift = shift or add.out_shift
    return replace(
        conv, low=low, high=high, out_shift=out_shift, out_low=out_low, out_high=out_high
    )


def _both_clamps(params: Requantize) -> tuple[int, int]:
    """Return the one clamp that equals both stages' clamps after each other."""
    low, high = params.out_low, params.out_high
    return min(max(params.low, low), high), max(min(params.high, high), low)


def sum_requantize(node: Add) -> Requantize:
    """Return an addition's requantization with all its shift in the second stage.

    The first stage is before the second operand, so it must not change anything.

    Raises
    ------
    CompileError
        The addition rounds or clamps twice.
    """
    params = node.requantize
    (shift,) = params.shift
    if not params.out_shift:
        low, high = _both_clamps(params)
        return Requantize(rounding=params.rounding, out_shift=shift, out_low=low, out_high=high)
    reach = 255 << max(node.shifts)
    if shift or params.low > -2 * reach or params.high < min(2 * reach, MID_HIGH):
        raise CompileError(f"{node.name}: an addition that rounds or clamps twice cannot run")
    return params
