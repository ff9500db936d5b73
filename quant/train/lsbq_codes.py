"""LSBQ in a network that is deployed: small codes, and one scalar set for a tensor.

The scalars are those of :mod:`.lsbq`, averaged over batches in training too, and on the grid of
:mod:`shiftloom.quant.quantizers.grid`, which is what the network is trained with.
"""

from collections import Counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..quantizers.grid import GridLsbq, grid_scalars
from .coded import Coded
from .gradients import pass_within
from .lsbq import LsbqWeight, scalars, signs

__all__ = ["LsbqActivationCodes", "LsbqWeightCodes"]

#: Values of a batch that the scalars are calculated from, evenly spaced.
SAMPLED = 1 << 13


class LsbqWeightCodes(nn.Module):
    """Weights of one bit: codes -1 and 1, one scalar per output channel, no gradient through it."""

    #: A factor on the weights changes the unit, not the codes.
    rescales = False

    def __init__(self) -> None:
        super().__init__()
        self.plain = LsbqWeight("ls-1")

    def initialise(self, values: NDArray[Any]) -> None:
        """Do nothing: scalars are calculated on every pass."""

    def coded(self, weight: Tensor) -> Coded:
        """Return signs and ``mean|w|`` of each channel."""
        return Coded(signs(weight), self.plain.scalars(weight)[:, 0])


class _Codes(torch.autograd.Function):
    """Codes of a grid; straight through within a window."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, grid: GridLsbq, spread: float, window: tuple[float, float]
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.window, ctx.slope = window, 1 / (grid.unit * spread)
        codes = torch.full_like(x, grid.low)
        for boundary, jump in Counter(grid.boundaries()).items():
            reached = x.clone().ge_(float(boundary.value) * spread)
            codes.add_(reached, alpha=jump)
        return codes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        return pass_within(gradients[0], x, *ctx.window).mul_(ctx.slope), None, None, None


def _sampled(x: Tensor) -> Tensor:
    """Return evenly spaced values, without a copy of feature maps whose channels are last."""
    flat = x.detach().movedim(1, -1).flatten() if x.ndim == 4 else x.detach().flatten()
    return flat[:: x.numel() // SAMPLED | 1].float()


class LsbqActivationCodes(nn.Module):
    """Activations of one or two planes, as codes of at most 15 steps.

    Values are divided by a power of two near their deviation first, so that the published
    straight-through windows and the clamp mean what they mean behind a batch norm.

    Parameters
    ----------
    bits : int
        Planes, 1 or 2.
    signed : bool
        Values below zero occur; else levels are shifted so that the lowest is zero.
    momentum : float
        Of the scalars' moving average; the first batch sets it.
    clamp : float
        Where gradients end; published for CIFAR: 2.
    """

    spread: Tensor
    average: Tensor

    def __init__(
        self, bits: int, *, signed: bool, momentum: float = 0.99, clamp: float = 2.0
    ) -> None:
        super().__init__()
        if bits not in (1, 2):
            raise ValueError(f"bits must be 1 or 2, not {bits}")
        self.bits, self.signed = bits, signed
        self.momentum, self.clamp = momentum, clamp
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("average", torch.zeros(bits))

    def initialise(self, values: NDArray[Any]) -> None:
        """Set the divisor and the scalars from data."""
        deviation = float(np.std(values)) or 1.0
        with torch.no_grad():
            self.spread.fill_(2.0 ** round(float(np.log2(deviation))))
            x = torch.from_numpy(np.asarray(values, np.float32)).ravel()
            self.average.copy_(self._scalars(x / self.spread.to(x.dtype), rounds=20))

    def _scalars(self, x: Tensor, rounds: int = 1) -> Tensor:
        """Return the least squares scalars of values, around a centre that is their sum."""
        x = _sampled(x)
        found = self.average.to(x.dtype)
        if self.signed:
            return scalars(x[None], f"ls-{self.bits}")[0]
        if not bool(found.any()):
            found = scalars((x - x.mean())[None], f"ls-{self.bits}")[0]
        for _ in range(rounds):  # the centre is the sum of the scalars, and moves with them
            found = scalars((x - found.sum())[None], f"ls-{self.bits}")[0]
        return found

    def grid(self) -> GridLsbq:
        """Return the scalars in use, for values over ``spread``."""
        return grid_scalars(self.average.tolist(), not self.signed)

    def coded(self, x: Tensor) -> Coded:
        """Return codes and their unit."""
        spread = float(self.spread)
        if self.training:
            self.average.lerp_(self._scalars(_sampled(x) / spread), 1 - self.momentum)
        grid = self.grid()
        total = sum(grid.factors) * 2.0**grid.exponent
        centre, limit = 0.0 if self.signed else total, max(self.clamp, total)
        window = ((centre - limit) * spread, (centre + limit) * spread)
        return Coded(_Codes.apply(x, grid, spread, window), grid.unit * self.spread)

    def deployed(self) -> GridLsbq:
        """Return the NumPy twin, for values themselves."""
        grid = self.grid()
        octave = round(float(torch.log2(self.spread)))
        return GridLsbq(factors=grid.factors, exponent=grid.exponent + octave, centred=grid.centred)
