"""Functions whose backward pass is not the derivative of their forward pass."""

from typing import Any

import torch
from torch import Tensor

__all__ = [
    "pass_within",
    "rounded_codes",
    "scale_gradient",
    "simulate_gradient",
    "straight_through",
]


class _StraightThrough(torch.autograd.Function):
    """Return the second argument; gradients go to the first."""

    @staticmethod
    def forward(ctx: Any, smooth: Tensor, exact: Tensor) -> Tensor:
        return exact.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Scale(torch.autograd.Function):
    """Return the argument; its gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.factor, None


class _Simulate(torch.autograd.Function):
    """Return the argument; its gradient is a given one, whatever the loss says."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, simulated: Tensor) -> Tensor:
        ctx.save_for_backward(simulated)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (simulated,) = ctx.saved_tensors
        return simulated, None


class _RoundedCodes(torch.autograd.Function):
    """Return whole numbers of units within limits; gradients pass everywhere."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, unit: Tensor, low: int, high: int) -> Tensor:
        ctx.save_for_backward(unit)
        return (value / unit).round_().clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (unit,) = ctx.saved_tensors
        return gradients[0] / unit, None, None, None


def rounded_codes(value: Tensor, unit: Tensor, low: int, high: int) -> Tensor:
    """Return ``clamp(round(value / unit))`` with the gradient of ``value / unit``."""
    result: Tensor = _RoundedCodes.apply(value, unit, low, high)
    return result


def pass_within(gradient: Tensor, at: Tensor, low: float, high: float) -> Tensor:
    """Return a gradient where ``low < at < high``, zero elsewhere."""
    result: Tensor = torch.ops.aten.hardtanh_backward(gradient, at, low, high)  # one pass
    return result


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """Return ``exact``, to the last bit, with the gradient of ``smooth``."""
    result: Tensor = _StraightThrough.apply(smooth, exact)
    return result


def scale_gradient(value: Tensor, factor: float) -> Tensor:
    """Return a value whose gradient is multiplied by a factor."""
    result: Tensor = _Scale.apply(value, factor)
    return result


def simulate_gradient(value: Tensor, simulated: Tensor) -> Tensor:
    """Return a value whose gradient is replaced by a simulated one."""
    result: Tensor = _Simulate.apply(value, simulated)
    return result
