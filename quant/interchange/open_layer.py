"""Layers whose sums are integers, with a monotone function of real numbers behind them.

Batch norms, factors, biases and clamps between a layer and the next quantizer are, per channel,
``clip(gain * sum + offset, low, high)``. It is kept in rational numbers until the quantizer tells
what becomes of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf

import numpy as np
from numpy.typing import NDArray

from ...isa.requantize import Requantize
from .. import float_graph as fg
from ..graph import Add, Conv, TensorType

__all__ = ["Chain", "OpenLayer", "identity_layer", "reach"]

#: A rational number, or an infinite one.
Real = Fraction | float


@dataclass(frozen=True, kw_only=True)
class Chain:
    """``clip(gain * x + offset, low, high)`` per channel; bounds may be infinite.

    Parameters
    ----------
    gain, offset : tuple of Fraction
        Per channel.
    low, high : tuple of Fraction or float
        Per channel.
    """

    gain: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]
    low: tuple[Real, ...]
    high: tuple[Real, ...]

    @classmethod
    def linear(cls, gain: Sequence[Fraction], offset: Iterable[Fraction] = ()) -> "Chain":
        """Return a chain without bounds."""
        count = len(gain)
        offsets = tuple(offset) or (Fraction(0),) * count
        return cls(gain=tuple(gain), offset=offsets, low=(-inf,) * count, high=(inf,) * count)

    def affine(self, scale: NDArray[np.float32], shift: NDArray[np.float32]) -> "Chain":
        """Return the chain with ``value * scale + shift`` behind it."""
        count = len(self.gain)
        scales = [Fraction(float(v)) for v in np.broadcast_to(scale, (count,))]
        shifts = [Fraction(float(v)) for v in np.broadcast_to(shift, (count,))]
        bounds = [
            sorted((_scaled(low, a, b), _scaled(high, a, b)))
            for low, high, a, b in zip(self.low, self.high, scales, shifts, strict=True)
        ]
        return Chain(
            gain=tuple(g * a for g, a in zip(self.gain, scales, strict=True)),
            offset=tuple(o * a + b for o, a, b in zip(self.offset, scales, shifts, strict=True)),
            low=tuple(low for low, _ in bounds),
            high=tuple(high for _, high in bounds),
        )

    def behind(self, scale: Fraction) -> "Chain":
        """Return the chain of something that has to be multiplied first."""
        return replace(self, gain=tuple(gain * scale for gain in self.gain))

    def clip(self, low: float, high: float) -> "Chain":
        """Return the chain with a clamp behind it."""
        bounds = [v if v in (inf, -inf) else Fraction(v) for v in (low, high)]

        def inside(value: Real) -> Real:
            return min(max(value, bounds[0]), bounds[1])

        return replace(
            self,
            low=tuple(inside(value) for value in self.low),
            high=tuple(inside(value) for value in self.high),
        )

    @property
    def is_identity(self) -> bool:
        """Whether nothing is changed."""
        unbounded = set(self.low) == {-inf} and set(self.high) == {inf}
        return set(self.gain) == {1} and not any(self.offset) and unbounded


def _scaled(bound: Real, scale: Fraction, shift: Fraction) -> Real:
    if not scale:
        return shift
    if isinstance(bound, float):
        return bound if scale > 0 else -bound
    return bound * scale + shift


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenLayer:
    """A convolution of codes whose sums wait for a quantizer.

    Parameters
    ----------
    conv : Conv
        Integer weights, no bias, no requantization unless ``rounded``; its output has no name yet.
    reach : tuple of int64 array
        Smallest and largest sum per channel.
    chain : Chain
        What follows.
    pool : float_graph.MaxPool, optional
        Behind the chain; a quantizer may go before it, because both are monotone.
    add : Add, optional
        What makes the sums, in place of a convolution that has nothing to do.
    rounded : bool
        The convolution has the first stage of its requantization: "sums" are its 16-bit codes.
    """

    conv: Conv
    reach: tuple[NDArray[np.int64], NDArray[np.int64]]
    chain: Chain
    pool: fg.MaxPool | None = None
    add: Add | None = None
    rounded: bool = False

    def then(self, change: Callable[[Chain], Chain]) -> "OpenLayer | None":
        """Return the layer with something more behind it; None if a pool stands in the way."""
        chain = change(self.chain)
        turned = any(g * h < 0 for g, h in zip(self.chain.gain, chain.gain, strict=True))
        return None if self.pool is not None and turned else replace(self, chain=chain)


def reach(conv: Conv, source: TensorType) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the smallest and the largest sum that a layer without bias can make, per channel.

    Padding is zero, which is a code as well.
    """
    weight = conv.weight.astype(np.int64).reshape(len(conv.weight), -1)
    products = [weight * source.low, weight * source.high]
    return np.minimum.reduce(products).sum(axis=1), np.maximum.reduce(products).sum(axis=1)


def identity_layer(
    name: str, source: str, tensor: TensorType, kernel: tuple[int, int] = (1, 1)
) -> Conv:
    """Return a depthwise layer with weights of one, without requantization."""
    channels = tensor.shape[0]
    return Conv(
        name=name,
        inputs=(source,),
        output="",
        weight=np.ones((channels, 1, *kernel), np.int8),
        weight_exponent=(0,),
        bias=np.zeros(channels, np.int32),
        mid_bias=np.zeros(channels, np.int16),
        requantize=Requantize(),
        groups=channels,
    )
