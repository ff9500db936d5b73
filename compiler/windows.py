"""How the vector unit walks a window: along which axis, and how many taps at a time."""

from dataclasses import dataclass

import numpy as np

from ..isa.config import Config
from .errors import CompileError
from .ops import Codes, VectorOp, Window

__all__ = ["Walk", "choose_walk", "walk_cycles"]

#: Kernel steps for which the tap unit keeps earlier columns.
MAX_WINDOW_STEPS = 16

#: Cycles of a job beyond its operands.
JOB_CYCLES = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """A way over a window.

    Parameters
    ----------
    turned : bool
        The job's rows run along the tensor's columns.
    window : Window
        In the job's orientation.
    reach : int
        Taps taken together: 1, or the lane's taps, which meet neighbouring columns.
    lead : int
        Taps before the kernel's first, which are zero.
    taps : int64 array
        ``(channels or 1, steps, vector_taps)``.
    """

    turned: bool
    window: Window
    reach: int
    lead: int
    taps: Codes

    @property
    def groups(self) -> int:
        """Steps in a kernel row."""
        return (self.lead + self.window.kernel[1]) // self.reach

    @property
    def steps(self) -> int:
        """Parameter words of taps."""
        return self.groups * self.window.kernel[0]

    @property
    def emit_first(self) -> int:
        """Columns before the first result of a row."""
        return self.reach - 1 - self.lead + self.early if self.reach > 1 else 0

    @property
    def early(self) -> int:
        """Columns that a row starts before the kernel's first.

        With several steps in a kernel row, taps of later steps meet what the leading zeros of the
        first would skip, so the row has to start there.
        """
        return self.lead if self.groups > 1 else 0

    @property
    def emit_period(self) -> int:
        """Columns from one result to the next."""
        return self.window.stride[1] if self.reach > 1 else 1

    def columns(self, outputs: int) -> int:
        """Return the columns that a job takes for results in a row."""
        return self.emit_first + self.emit_period * (outputs - 1) + 1


def walk_cycles(walk: Walk, rows: int, columns: int, residual: bool) -> int:
    """Return the estimated cycles of a job for ``(rows, columns)`` results."""
    outer, inner = (columns, rows) if walk.turned else (rows, columns)
    operands = walk.columns(inner) * walk.steps + (inner if residual else 0)
    return outer * operands + JOB_CYCLES


def choose_walk(op: VectorOp, config: Config, rows: int, columns: int) -> Walk:
    """Return the fastest way for results of ``(rows, columns)``.

    Raises
    ------
    CompileError
        No way fits the instruction's fields or the parameter buffer.
    """
    walks = [
        walk
        for turned in (False, True)
        for reach in {1, config.vector_taps}
        if (walk := _walk(op, config, turned, reach)) is not None
    ]
    if not walks:
        steps = max(0, config.parameter_words - 1 - op.threshold_words)
        raise CompileError(
            f"{op.name}: a window of {op.window.kernel[0]}x{op.window.kernel[1]} does not fit the "
            f"vector unit (kernels up to 63, {steps} steps)"
        )
    residual = op.residual is not None
    return min(walks, key=lambda w: (walk_cycles(w, rows, columns, residual), w.turned, w.reach))


def _walk(op: VectorOp, config: Config, turned: bool, reach: int) -> Walk | None:
    window = op.window.turned() if turned else op.window
    taps = op.taps.transpose(0, 2, 1) if turned else op.taps
    height, width = window.kernel
    if reach > 1 and (width < 2 or window.dilation[1] > 1):
        return None
    groups = -(-width // reach)
    lead = groups * reach - width
    if turned and lead and groups > 1:  # would start above the rows that the tile needs
        return None
    if reach > 1 and height * groups > MAX_WINDOW_STEPS:
        return None
    too_large = max(height, groups) > 63 or window.stride[1] > 31 or window.stride[0] > 31
    moves = max(window.dilation[0], window.dilation[1], reach)
    words = 2 + height * groups + op.threshold_words
    if too_large or moves > 63 or words > config.parameter_words:
        return None
    return Walk(
        turned=turned,
        window=window,
        reach=reach,
        lead=lead,
        taps=_steps(taps, reach, lead, config.vector_taps),
    )


def _steps(taps: Codes, reach: int, lead: int, lane_taps: int) -> Codes:
    """Return taps by step; the last tap of a step meets the newest column."""
    channels, height, width = taps.shape
    padded = np.zeros((channels, height, lead + width), np.int64)
    padded[:, :, lead:] = taps
    steps = np.zeros((channels, height * (lead + width) // reach, lane_taps), np.int64)
    steps[:, :, lane_taps - reach :] = padded.reshape(channels, -1, reach)
    return steps
