"""How a quantizer closes an open layer: by a shift where that is exact, or by thresholds."""

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
from numpy.typing import NDArray

from ...isa.requantize import MAX_LEFT_SHIFT, Rounding
from ...isa.thresholds import MAX_THRESHOLD_BITS, Thresholds
from ..drafts import MAX_RIGHT_SHIFT, one_stage
from ..errors import UnsupportedError
from ..graph import AveragePool, Conv
from ..quantizers.comparators import Boundary, least_integer
from ..staircases import Rule, Uniform
from .open_layer import OpenLayer, Real

__all__ = [
    "MOST_LEVELS",
    "InexactError",
    "close",
    "close_average",
    "limits_of",
    "log2_exact",
    "mode_of",
    "shift_of",
]

#: Comparators of a channel.
MOST_LEVELS = (1 << MAX_THRESHOLD_BITS) - 1

#: Roundings of the machine by their names in QONNX.
_MODES = {"ROUND": Rounding.HALF_EVEN, "FLOOR": Rounding.FLOOR, "HALF_UP": Rounding.HALF_AWAY}

#: Largest magnitude of a bias: a bit of the accumulator is left to the products.
_BIAS_LIMIT = 1 << 30


def log2_exact(value: Fraction) -> int | None:
    """Return the exponent of a power of two, or None for any other number."""
    power = value.numerator * value.denominator  # one of both is 1 then
    if value <= 0 or 1 not in (value.numerator, value.denominator) or power & (power - 1):
        return None
    return (power.bit_length() - 1) * (1 if value.denominator == 1 else -1)


class InexactError(Exception):
    """Why a shift would not give the same integers."""


def close(layer: OpenLayer, rule: Rule, quantizer: str) -> Conv:
    """Return a layer that makes the codes of a quantizer; its output has no name yet.

    Parameters
    ----------
    layer : OpenLayer
        Integer sums and what follows.
    rule : Uniform or Bank
        The quantizer.
    quantizer : str
        Its name, for errors.

    Raises
    ------
    UnsupportedError
        Neither a shift nor thresholds give the same integers.
    """
    reason = "its steps are not a shift of sums"
    if isinstance(rule, Uniform):
        try:
            return _shifted(layer, rule)
        except InexactError as error:
            reason = str(error)
    low, high = rule.codes
    if high - low <= MOST_LEVELS:
        return _compared(layer, rule, quantizer)
    raise UnsupportedError(
        "SL-Q104",
        f"{high - low + 1} levels behind {layer.conv.name} cannot be made exactly: {reason}",
        node=quantizer,
        allowed="a power-of-two relation of sums and codes, or at most 16 levels",
        fix="quantize to at most 4 bits, or train with power-of-two scales and folded batch norm",
    )


def close_average(layer: OpenLayer, rule: Rule) -> AveragePool | None:
    """Return a layer of equal weights as an average pool, if a shift of its sums is exact.

    The weight may be any byte there: the odd part of what a sum is worth.
    """
    conv, (gain, *others) = layer.conv, layer.chain.gain
    ones = conv.groups == len(conv.weight) and bool((conv.weight == 1).all())
    if not isinstance(rule, Uniform) or not ones or gain <= 0 or set(others) - {gain}:
        return None
    factor = (gain / rule.step).numerator
    while factor % 2 == 0:
        factor //= 2
    chain = replace(layer.chain, gain=tuple(g / factor for g in layer.chain.gain))
    try:
        shifted = _shifted(replace(layer, chain=chain), rule)
    except InexactError:
        return None
    plain = not shifted.bias.any() and bool((shifted.weight == 1).all())
    if factor > 255 or not plain or conv.weight.shape[2:] == (1, 1) or conv.dilation != (1, 1):
        return None
    return AveragePool(
        name=conv.name,
        inputs=conv.inputs,
        output="",
        kernel=(conv.weight.shape[2], conv.weight.shape[3]),
        stride=conv.stride,
        reciprocal=factor,
        requantize=shifted.requantize,
        padding=conv.padding,
    )


def _compared(layer: OpenLayer, rule: Rule, quantizer: str) -> Conv:
    """Return the layer with thresholds; channels of negative gain change their sign."""
    chain, channels = layer.chain, len(layer.conv.weight)
    flipped = np.array([gain < 0 for gain in chain.gain])
    rows = rule.rows()
    values = np.empty((channels, len(rows[0])), np.int64)
    for channel in range(channels):
        row = rows[channel if len(rows) > 1 else 0]
        values[channel] = [_place(layer, channel, boundary) for boundary in row]
    if (values == values[0]).all():
        values = values[:1]
    bank = Thresholds(values=values.astype(np.int32), low=rule.codes[0])
    weight = _negated(layer.conv, flipped, quantizer)
    return replace(layer.conv, weight=weight, thresholds=bank)


def _place(layer: OpenLayer, channel: int, boundary: Boundary) -> int:
    """Return the least sum, or negated sum, that reaches a boundary of the quantizer."""
    chain, value = layer.chain, boundary.value
    gain, offset = chain.gain[channel], chain.offset[channel]
    least, most = (int(bound[channel]) for bound in layer.reach)
    if gain < 0:
        least, most = -most, -least
    if _reaches(chain.low[channel], boundary):
        return least
    if not _reaches(chain.high[channel], boundary):
        return most + 1
    place = Boundary(value=value, included=boundary.included)
    return min(max(least_integer(place, abs(gain), offset, least, most + 1), least), most + 1)


def _reaches(value: Real, boundary: Boundary) -> bool:
    return value >= boundary.value if boundary.included else value > boundary.value


def _negated(conv: Conv, flipped: NDArray[np.bool_], quantizer: str) -> NDArray[np.int8]:
    if flipped.any() and conv.weight[flipped].min() == -128:
        raise UnsupportedError(
            "SL-Q114",
            f"{conv.name}: a weight of -128 in a channel that its batch norm negates",
            node=quantizer,
            allowed="weights of -127 to 127",
            fix="quantize weights with a narrow range",
        )
    signs = np.where(flipped, -1, 1).reshape(-1, 1, 1, 1)
    return (conv.weight * signs).astype(np.int8)


def _shifted(layer: OpenLayer, rule: Uniform) -> Conv:
    """Return the layer with a shift, if that gives the same integers."""
    mode = mode_of(rule)
    shifts = [shift_of(abs(gain) / rule.step) for gain in layer.chain.gain]
    gains = zip(layer.chain.offset, layer.chain.gain, strict=True)
    terms = [offset / abs(gain) for offset, gain in gains]
    weight = _signed(layer)
    terms = [_settled(term, shift, mode) for term, shift in zip(terms, shifts, strict=True)]
    if any(term.denominator > 1 for term in terms):
        weight, terms, shifts, mode = _between(weight, terms, shifts, mode)
    if max(abs(term) for term in terms) >= _BIAS_LIMIT:
        raise InexactError("its bias does not fit the accumulator")
    if min(shifts) < -MAX_LEFT_SHIFT or max(shifts) > MAX_RIGHT_SHIFT:
        raise InexactError(f"it takes shifts by {min(shifts)} to {max(shifts)}")
    if min(shifts) < 0 and len(set(shifts)) > 1:
        raise InexactError("left shifts differ between channels")
    low, high = limits_of(layer, rule)
    amounts = (shifts[0],) if len(set(shifts)) == 1 else tuple(shifts)
    return replace(
        layer.conv,
        weight=weight.astype(np.int8),
        bias=np.array([int(term) for term in terms], np.int32),
        requantize=one_stage(amounts, low, high, mode),
    )


def mode_of(rule: Uniform) -> Rounding:
    """Return a quantizer's rounding.

    Raises
    ------
    InexactError
        No shift rounds so.
    """
    moved = rule.rounding == "FLOOR" or (rule.rounding == "ROUND" and rule.zero % 2 == 0)
    if rule.rounding not in _MODES or not (moved or not rule.zero):
        zero = f" with zero point {rule.zero}" if rule.zero else ""
        raise InexactError(f"rounding {rule.rounding}{zero} is not one of a shift")
    return _MODES[rule.rounding]


def shift_of(ratio: Fraction) -> int:
    """Return the right shift that makes codes of sums, from what a sum is worth in codes.

    Raises
    ------
    InexactError
        It is no power of two.
    """
    exponent = log2_exact(ratio)
    if exponent is None:
        raise InexactError(f"a sum is worth {float(ratio):.6g} codes, which is no power of two")
    return -exponent


def _settled(term: Fraction, shift: int, mode: Rounding) -> Fraction:
    """Return a bias as an integer where it can be rounded by itself."""
    if mode is Rounding.FLOOR and shift >= 0:
        return Fraction(floor(term))
    if shift == 0 and term.denominator != 2:
        return Fraction(floor(term + Fraction(1, 2)))
    return term


def _between(
    weight: NDArray[np.int64], terms: list[Fraction], shifts: list[int], mode: Rounding
) -> tuple[NDArray[np.int64], list[Fraction], list[int], Rounding]:
    """Return integers that round as sums do whose bias lies between two integers.

    Such a sum never is a tie, and what is above a tie by less than one counts as above: a tie
    that rounds up does the same, and so does half a step more on a grid of half steps.
    """
    if min(shifts) < 1:
        raise InexactError("a bias lies between two sums")
    whole = [Fraction(floor(term)) for term in terms]
    if all(term.denominator > 1 for term in terms):
        return weight, whole, shifts, Rounding.HALF_UP
    if not -64 <= weight.min() <= weight.max() <= 63:
        raise InexactError("some biases lie between two sums, and 8-bit weights leave no room")
    halves = [2 * w + (term != w) for w, term in zip(whole, terms, strict=True)]
    return weight * 2, halves, [shift + 1 for shift in shifts], mode


def _signed(layer: OpenLayer) -> NDArray[np.int64]:
    signs = np.array([-1 if gain < 0 else 1 for gain in layer.chain.gain])
    weight: NDArray[np.int64] = layer.conv.weight.astype(np.int64) * signs.reshape(-1, 1, 1, 1)
    if weight.max() > 127:
        raise InexactError("a weight of -128 would have to be negated")
    return weight


def limits_of(layer: OpenLayer, rule: Uniform) -> tuple[int, int]:
    """Return the range of codes, which clamps before the quantizer narrow.

    Raises
    ------
    InexactError
        Clamps differ between channels.
    """
    found = set()
    for low, high in zip(layer.chain.low, layer.chain.high, strict=True):
        least = rule.codes[0] if isinstance(low, float) else rule.code(low)
        most = rule.codes[1] if isinstance(high, float) else rule.code(high)
        found.add((least, most))
    if len(found) > 1:
        raise InexactError("clamps differ between channels")
    return found.pop()
