"""Trainable LSBQ quantizers (Pouransari et al., CVPRW 2020, arXiv 2001.02786).

Scalars are calculated on every forward pass, from data without gradient; each sign passes the
gradient where its own argument lies in ``-1 … 1``, so that for two planes
``dx_q/dx = v1 m1 + v2 m2 (1 - v1 m1)``. The deployed twin is
:mod:`shiftloom.quant.quantizers.lsbq`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..quantizers.lsbq import SCHEMES, Lsbq
from .tqt import power_of_two

__all__ = ["LsbqActivation", "LsbqWeight", "scalars", "signed_powers", "signs"]

AVERAGES = ("off", "eval_only", "train_and_eval")


class _Sign(torch.autograd.Function):
    """Sign with ``sign(0) = 1``; straight through where ``|u| <= 1``."""

    @staticmethod
    def forward(ctx: Any, u: Tensor) -> Tensor:
        ctx.save_for_backward(u)
        return torch.where(u >= 0, 1.0, -1.0).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        passed: Tensor = gradients[0] * (u.abs() <= 1)
        return passed


def signs(values: Tensor) -> Tensor:
    """Return -1 and 1, 1 for zero; gradients pass where a value lies in ``-1 … 1``."""
    result: Tensor = _Sign.apply(values)
    return result


def _split(rows: Tensor, keep_lower: bool) -> Tensor:
    """Return both means of the best split of each row's magnitudes, ``(rows, 2)``."""
    a = rows.abs().double().sort(dim=1).values
    count = a.shape[1]
    sums = torch.cat([torch.zeros_like(a[:, :1]), a.cumsum(dim=1)], dim=1)
    first = min(1, count - 1) if keep_lower else 0
    sizes = torch.arange(first, count, device=a.device)
    above = (sums[:, -1:] - sums[:, sizes]) / (count - sizes)
    below = sums[:, sizes] / sizes.clamp(min=1)
    gain = (count - sizes) * above**2 + (sizes * below**2 if keep_lower else 0.0)
    best = gain.argmax(dim=1, keepdim=True)
    if keep_lower and not first:  # a single value
        below = above
    return torch.cat([below.gather(1, best), above.gather(1, best)], dim=1).to(rows.dtype)


def _greedy(rows: Tensor, planes: int) -> Tensor:
    rest, found = rows, []
    for _ in range(planes):
        found.append(rest.abs().mean(dim=1, keepdim=True))
        rest = rest - found[-1] * torch.where(rest >= 0, 1.0, -1.0)
    return torch.cat(found, dim=1)


def scalars(rows: Tensor, scheme: str) -> Tensor:
    """Return the scalars of each row, ``(rows, planes)``.

    Parameters
    ----------
    rows : Tensor
        One row per channel, or per sample.
    scheme : str
        ``"ls-1"``, ``"ls-2"``, ``"ls-T"`` or ``"gf-1"`` … ``"gf-4"``.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, not {scheme}")
    rows = rows.detach()
    if scheme == "ls-2":
        lower, upper = _split(rows, keep_lower=True).unbind(dim=1)
        return torch.stack([(lower + upper) / 2, (upper - lower) / 2], dim=1)
    if scheme == "ls-T":
        return (_split(rows, keep_lower=False)[:, 1:] / 2).expand(-1, 2)
    return _greedy(rows, int(scheme[-1]))


def signed_powers(values: Tensor, terms: int, least: int = -16) -> Tensor:
    """Return the nearest sums of signed powers of two, as :mod:`..quantizers.planes` does."""
    rest = values.clamp(min=2.0**least)
    found = torch.zeros_like(values)
    for _ in range(terms):
        mantissa, exponent = torch.frexp(rest.abs())
        nearest = torch.where(mantissa >= 0.75, exponent, exponent - 1).clamp(min=least)
        term = rest.sign() * power_of_two(nearest.to(values.dtype))
        term = torch.where(rest.abs() > 2.0 ** (least - 1), term, 0.0)
        found, rest = found + term, rest - term
    return found


def _scaled_signs(x: Tensor, v: Tensor) -> Tensor:
    """Return the sum of scaled signs; ``v`` is ``(rows or 1, planes)`` for the first axis."""
    rest, total = x, torch.zeros_like(x)
    for plane in v.unbind(dim=1):
        scaled = plane.view(-1, *[1] * (x.ndim - 1)) * _Sign.apply(rest)
        total, rest = total + scaled, rest - scaled
    return total


class LsbqWeight(nn.Module):
    """Quantize weights with scalars of their own for each output channel.

    Parameters
    ----------
    scheme : str
        See :func:`scalars`; published networks use ``"ls-1"``.
    """

    def __init__(self, scheme: str = "ls-1") -> None:
        super().__init__()
        self.scheme = scheme

    def scalars(self, weight: Tensor) -> Tensor:
        """Return scalars ``(channels, planes)``."""
        return scalars(weight.flatten(1), self.scheme)

    def forward(self, weight: Tensor) -> Tensor:
        """Return quantized weights."""
        return _scaled_signs(weight, self.scalars(weight))

    def deployed(self, weight: Tensor) -> tuple[Lsbq, ...]:
        """Return the NumPy twin of each channel."""
        rows = self.scalars(weight).double().tolist()
        return tuple(Lsbq(scalars=tuple(v), ternary=self.scheme == "ls-T") for v in rows)


class LsbqActivation(nn.Module):
    """Quantize activations, with scalars of each sample or with their moving average.

    Parameters
    ----------
    scheme : str
        See :func:`scalars`.
    average : str
        ``"off"``: scalars of each sample, in evaluation too, as published results use it.
        ``"eval_only"``: a moving average in evaluation. ``"train_and_eval"``: in both. Hardware
        needs one of the latter two.
    momentum : float
        Of the moving average; the first batch sets it.
    clamp : float, optional
        Activations are clamped to ``-clamp … clamp`` first.
    terms : int, optional
        Scalars are sums of so many signed powers of two, in training too: then each plane is a
        sum of shifted planes, and nothing is approximated afterwards.
    """

    scalar_average: Tensor
    batches: Tensor

    def __init__(
        self,
        scheme: str = "ls-2",
        *,
        average: str = "eval_only",
        momentum: float = 0.99,
        clamp: float | None = None,
        terms: int | None = None,
    ) -> None:
        super().__init__()
        if average not in AVERAGES:
            raise ValueError(f"average must be one of {', '.join(AVERAGES)}, not {average}")
        self.scheme, self.average, self.momentum = scheme, average, momentum
        self.clamp, self.terms = clamp, terms
        planes = scalars(torch.ones(1, 2), scheme).shape[1]
        self.register_buffer("scalar_average", torch.zeros(planes))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def _constrained(self, v: Tensor) -> Tensor:
        return v if self.terms is None else signed_powers(v, self.terms)

    def _note(self, v: Tensor) -> None:
        mean = v.mean(dim=0)
        keep = self.momentum if int(self.batches) else 0.0
        self.scalar_average.mul_(keep).add_(mean, alpha=1 - keep)
        self.batches += 1

    def scalars(self, x: Tensor) -> Tensor:
        """Return the scalars to use, ``(samples or 1, planes)``; in training, take note of them."""
        fixed = self.average == "train_and_eval" or (
            self.average == "eval_only" and not self.training
        )
        if fixed and not self.training:
            return self._constrained(self.scalar_average[None])
        v = scalars(x.flatten(1), self.scheme)
        if self.training and self.average != "off":
            self._note(v)
        return self._constrained(self.scalar_average[None].clone() if fixed else v)

    def forward(self, x: Tensor) -> Tensor:
        """Return quantized values."""
        if self.clamp is not None:
            x = x.clamp(-self.clamp, self.clamp)
        return _scaled_signs(x, self.scalars(x))

    def deployed(self) -> Lsbq:
        """Return the NumPy twin with the averaged scalars."""
        if self.average == "off":
            raise ValueError("average must be eval_only or train_and_eval to be deployed, not off")
        v = self._constrained(self.scalar_average[None])[0].double().tolist()
        return Lsbq(scalars=tuple(v), ternary=self.scheme == "ls-T")
