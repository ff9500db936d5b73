"""Trainable TQT quantizer (Jain et al., MLSys 2020, arXiv 1903.08066).

The deployed twin is :mod:`shiftloom.quant.quantizers.tqt`.
"""

from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...isa.requantize import Rounding
from ..quantizers.tqt import Tqt, initial_log2_t
from .coded import Coded
from .gradients import pass_within

__all__ = ["TqtQuantizer", "power_of_two", "quantize"]

LN2 = 0.6931471805599453


def power_of_two(exponents: Tensor) -> Tensor:
    """Return exact powers of two of whole numbers, in their type."""
    return torch.ldexp(torch.ones_like(exponents), exponents.to(torch.int32))


class _Quantize(torch.autograd.Function):
    """Forward eq. 4; backward eqs. 7 (threshold) and 8 (input)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, log2_t: Tensor, form: Tqt) -> Tensor:
        scale = power_of_two(torch.ceil(log2_t) - (form.bits - form.signed))
        scale = scale.to(x.dtype)
        scaled = x / scale
        down = form.rounding is Rounding.FLOOR
        ctx.low, ctx.high = form.low, form.high
        if ctx.needs_input_grad[1]:
            rounded = torch.floor(scaled) if down else torch.round(scaled)
            ctx.save_for_backward(rounded, scaled, scale)
        else:
            rounded = scaled.floor_() if down else scaled.round_()
            ctx.save_for_backward(rounded)
        return rounded.clamp(ctx.low, ctx.high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rounded, *rest = ctx.saved_tensors
        passed = pass_within(gradients[0], rounded, ctx.low - 0.5, ctx.high + 0.5)
        if not rest:  # a frozen threshold
            return passed, None, None
        scaled, scale = rest
        inside = (rounded >= ctx.low) & (rounded <= ctx.high)
        slope = torch.where(inside, rounded - scaled, rounded.clamp(ctx.low, ctx.high))
        threshold = (gradients[0] * slope * scale * LN2).sum_to_size(scale.shape)
        return passed, threshold, None


def quantize(x: Tensor, log2_t: Tensor, form: Tqt) -> Tensor:
    """Return quantized values; ``log2_t`` broadcasts against them, ``form`` gives the rest."""
    result: Tensor = _Quantize.apply(x, log2_t, form)
    return result


class TqtQuantizer(nn.Module):
    """Quantize with a trained power-of-two threshold (eq. 4, gradients eqs. 7 and 8).

    The trained parameter is ``log2 t``; the ceiling passes gradients straight through, and the
    threshold's gradient is the plain sum over all elements. Whether an element is inside is
    decided by its rounded value. Layers that share a threshold share the module.

    Parameters
    ----------
    bits, signed
        Of a code.
    channels : int, optional
        One threshold per channel; one for the tensor if absent.
    axis : int
        Where channels lie.
    rounding : Rounding
        ``HALF_EVEN``, or ``FLOOR`` after average pools.
    """

    def __init__(
        self,
        bits: int,
        *,
        signed: bool,
        channels: int | None = None,
        axis: int = 0,
        rounding: Rounding = Rounding.HALF_EVEN,
    ) -> None:
        super().__init__()
        #: Everything but the thresholds.
        self.form = Tqt(log2_t=(0.0,), bits=bits, signed=signed, axis=axis, rounding=rounding)
        self.per_channel = channels is not None
        self.log2_t = nn.Parameter(torch.zeros(channels or 1))

    def initialise(self, values: NDArray[Any], method: str) -> None:
        """Set thresholds from data: ``"max"``, ``"3sd"`` or ``"kl-j"``."""
        form, axis = self.form, self.form.axis if self.per_channel else None
        found = initial_log2_t(values, method, bits=form.bits, signed=form.signed, axis=axis)
        with torch.no_grad():
            self.log2_t.copy_(torch.tensor(found))

    def forward(self, x: Tensor, rounding: Rounding | None = None) -> Tensor:
        """Return quantized values; a rounding given here takes the place of the quantizer's."""
        shape = [1] * x.ndim
        if self.per_channel:
            shape[self.form.axis] = -1
        form = self.form if rounding is None else replace(self.form, rounding=rounding)
        return quantize(x, self.log2_t.view(shape), form)

    def coded(self, x: Tensor, rounding: Rounding | None = None) -> Coded:
        """Return codes and their unit, a power of two without gradient (one for the tensor)."""
        unit = self.scale()[0]
        return Coded(self(x, rounding) / unit, unit)

    def scale(self) -> Tensor:
        """Return the value of one code step, without gradient: one, or one per channel."""
        form = self.form
        return power_of_two(torch.ceil(self.log2_t.detach()) - (form.bits - form.signed))

    def deployed(self) -> Tqt:
        """Return the NumPy twin."""
        return replace(self.form, log2_t=tuple(self.log2_t.detach().cpu().double().tolist()))
