"""Trained layers with codes as weights, and the comparators behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.thresholds import Thresholds
from .. import float_graph as fg
from ..errors import ModelError
from ..float_graph import Format
from ..graph import Conv
from ..quantizers.comparators import Boundary, ComparatorBank, integer_bank
from .low_conv import Integers
from .methods import Deployed

__all__ = ["Comparators", "clamped", "code_format", "low_conv", "recoding"]

#: Largest weight code of the machine.
LARGEST = 127


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparators:
    """What takes the place of a layer's requantization.

    Parameters
    ----------
    bank : ComparatorBank
        For the layer's accumulators, bias included.
    """

    bank: ComparatorBank

    @classmethod
    def of(
        cls, node: fg.Conv, twin: Deployed, unit: NDArray[Any], shift: NDArray[Any]
    ) -> "Comparators":
        """Return the comparators of ``quantizer(clamp(acc * unit + shift))``, exactly."""
        boundaries = clamped(twin.boundaries(), node.low, node.high)
        return cls(bank=integer_bank(boundaries, unit, shift, low=twin.low))

    def behind(self, node: Conv) -> Conv:
        """Return a layer with these comparators; channels whose slope is negative are negated."""
        turn = np.where(self.bank.flipped, -1, 1)
        weight, bias = node.weight, node.bias
        if self.bank.flipped.any():
            weight = (weight * turn.reshape(-1, 1, 1, 1)).astype(np.int8)
            bias = (bias * turn).astype(np.int32)
        values = self.bank.thresholds.astype(np.int32)
        return replace(
            node,
            weight=weight,
            bias=bias,
            thresholds=Thresholds(values=values, low=self.bank.low),
        )


def clamped(boundaries: Sequence[Boundary], low: float, high: float) -> list[Boundary]:
    """Return the comparators of clamped values: those outside the clamp hold always, or never."""
    found = []
    for boundary in boundaries:
        value, included = boundary.value, boundary.included
        if value < low or (value == low and included):
            value = float("-inf")
        elif value > high or (value == high and not included):
            value = float("inf")
        found.append(Boundary(value, included))
    return found


def code_format(twin: Deployed) -> Format:
    """Return the format of codes; the exponent 0 stands for a unit that other layers absorb."""
    low, high = twin.low, twin.high
    signed = low < 0
    bits = max(high.bit_length(), (-low - 1).bit_length() if signed else 1) + signed
    return Format(bits=bits, signed=signed, exponents=(0,), low=low, high=high)


def recoding(name: str, channels: int, step: int, twin: Deployed) -> tuple[fg.Conv, Comparators]:
    """Return a layer that makes low-bit codes of a feature map that others read with 8 bits.

    It is a depthwise convolution with weights of one, and one comparator bank for all channels.
    """
    unit = Format(bits=2, signed=True, exponents=(-step,), low=-2, high=1)
    node = fg.Conv(
        name=f"{name}/low",
        inputs=(name,),
        output=f"{name}/low",
        weight=np.full((channels, 1, 1, 1), 2.0**-step, np.float32),
        bias=np.zeros(channels, np.float32),
        groups=channels,
        weight_format=unit,
    )
    return node, Comparators.of(node, twin, np.array([2.0**step]), np.zeros(1))


def low_conv(
    node: fg.Conv, found: Integers, output: int | None, twin: Deployed | None
) -> tuple[fg.Conv, Comparators | None]:
    """Return a low-bit layer as codes, and what is behind it if it is comparators.

    Parameters
    ----------
    node : float_graph.Conv
        The layer.
    found : Integers
        After training.
    output : int or None
        Exponent of its output, where that has one.
    twin : Deployed or None
        The quantizer of its output, where that has comparators.
    """
    if twin is not None:
        made = _coded(node, found.weight, np.zeros(1, np.int64), np.zeros(len(found.shift)))
        return made, Comparators.of(node, twin, found.unit, found.shift)
    if output is None:
        raise ValueError("output must be given where there are no comparators")
    mantissa, exponent = np.frexp(np.abs(found.unit))
    if (mantissa != 0.5).any():
        raise AssertionError(f"{node.name}: units are not powers of two")
    exponents = exponent.astype(np.int64) - 1
    # Sums are shifted right: where a step of the sum exceeds the output's, weights grow instead.
    excess = np.maximum(exponents - output, 0)
    sign = np.where(found.unit < 0, -1, 1)
    factors = (sign << excess).reshape(-1, 1, 1, 1)
    weight = found.weight.astype(np.int64) * factors
    if np.abs(weight).max() > LARGEST:
        raise ModelError(
            "SL-Q114",
            f"a weight of {np.abs(weight).max()} steps",
            node=node.name,
            allowed=f"at most {LARGEST}",
            fix="train on data that is not all zero, or with more activation bits",
        )
    return _coded(node, weight, exponents - excess, found.shift), None


def _coded(
    node: fg.Conv, weight: NDArray[Any], exponents: NDArray[np.int64], bias: NDArray[Any]
) -> fg.Conv:
    """Return a layer whose weights are codes times powers of two, exactly."""
    several = tuple(exponents.tolist())
    steps = several if len(set(several)) > 1 else several[:1]
    form = Format(bits=8, signed=True, exponents=steps, low=-128, high=127)
    scale = 2.0 ** exponents.reshape(-1, 1, 1, 1)
    return replace(node, weight=weight * scale, bias=bias, weight_format=form)
