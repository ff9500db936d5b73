"""Batch norm behind a quantized convolution: kept while training, gone after it."""

import numpy as np
import torch
from torch import Tensor, nn

from ..float_graph import Floats

__all__ = ["Norm", "split_norm"]

#: Added to the variance of accumulators, which are whole numbers.
LEAST_VARIANCE = 1e-5


def split_norm(weight: Floats) -> tuple[Floats, Floats]:
    """Return weights whose channels are of one size, and the gain that each channel had.

    Models come with their batch norms folded in, or in a form that is folded when they are read.
    The gains are what such a norm left behind; weights without them share one quantizer well.

    Parameters
    ----------
    weight : float array
        ``(out_channels, …)``, norm folded in.

    Returns
    -------
    weight, gain : float arrays
        With ``weight * gain`` equal to what was given, up to rounding.
    """
    sizes = np.sqrt((weight.reshape(len(weight), -1) ** 2).mean(axis=1))
    usual = sizes.mean() or 1.0
    gain = np.where(sizes > usual / 256, sizes / usual, 1.0).astype(np.float32)
    return weight / gain.reshape(-1, *[1] * (weight.ndim - 1)), gain


class Norm(nn.Module):
    """``gamma * (x - mean) / sqrt(variance) + beta`` per channel.

    Parameters
    ----------
    gain, bias : float array
        What the norm does at first, whatever its statistics are: ``x * gain + bias``.
    momentum : float
        Of the moving statistics, while ``live``.

    Members
    -------
    live : bool
        While training, statistics follow the data, and a batch is normalized by its own where the
        layer allows it. They stay as they are otherwise, and the norm is a factor and a term.
    """

    mean: Tensor
    variance: Tensor
    plain_mean: Tensor
    plain_variance: Tensor

    def __init__(self, gain: Floats, bias: Floats, momentum: float = 0.05) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.from_numpy(gain.copy()))
        self.beta = nn.Parameter(torch.from_numpy(bias.copy()))
        for kind in ("", "plain_"):
            self.register_buffer(f"{kind}mean", torch.zeros(len(gain)))
            self.register_buffer(f"{kind}variance", torch.ones(len(gain)))
        self.momentum, self.live = momentum, False

    def describe(self, sums: Tensor) -> None:
        """Take the statistics of float sums; what the norm does to them stays the same."""
        mean, variance = _statistics(sums)
        gain, shift = self.plain()
        with torch.no_grad():
            for kept in (self.mean, self.plain_mean):
                kept.copy_(mean)
            for kept in (self.variance, self.plain_variance):
                kept.copy_(variance)
            self.gamma.copy_(gain * variance.sqrt())
            self.beta.copy_(shift + mean * gain)

    def match(self, sums: Tensor) -> None:
        """Take the statistics of quantized sums, which come out as the float ones do."""
        mean, variance = _statistics(sums)
        with torch.no_grad():
            self.mean.copy_(mean)
            self.variance.copy_(torch.maximum(variance, self.plain_variance / 256))

    def follow(self, sums: Tensor) -> None:
        """Move the statistics towards those of a batch."""
        with torch.no_grad():
            self._move(*_statistics(sums))

    def _move(self, mean: Tensor, variance: Tensor) -> None:
        self.mean.lerp_(mean, self.momentum)
        self.variance.lerp_(_floored(variance), self.momentum)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return ``gain``, ``shift`` of the moving statistics: ``x * gain + shift``."""
        gain = self.gamma / self.variance.sqrt()
        return gain, self.beta - self.mean.clone() * gain  # what moves in place cannot be kept

    def plain(self) -> tuple[Tensor, Tensor]:
        """Return ``gain``, ``shift`` for float sums."""
        gain = self.gamma / self.plain_variance.sqrt()
        return gain, self.beta - self.plain_mean * gain

    def of_batch(self, sums: Tensor, unit: Tensor, ratio: Tensor) -> Tensor:
        """Return sums normalized by the batch's own statistics; the moving ones follow.

        Parameters
        ----------
        sums : Tensor
            Accumulators: whole numbers.
        unit : Tensor
            What a step of them is worth, positive; one, or one per channel.
        ratio : Tensor
            Per channel, multiplies ``gamma``; no gradient.
        """
        total, mean, inverse = torch.native_batch_norm(
            sums, self.gamma * ratio, self.beta, None, None, True, 0.0, LEAST_VARIANCE
        )
        with torch.no_grad():
            variance = (inverse**-2 - LEAST_VARIANCE).clamp(min=0) * unit**2
            self._move(mean * unit, variance)
        return total


def _statistics(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance per channel; a channel that is constant has some variance too."""
    variance, mean = torch.var_mean(sums, dim=(0, 2, 3), correction=0)
    return mean, _floored(variance)


def _floored(variance: Tensor) -> Tensor:
    return variance + 1e-5 * variance.mean().detach() + 1e-12
