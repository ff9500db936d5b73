"""Requantization in exact rationals, one value at a time: the truth that arrays are held to."""

from fractions import Fraction
from math import floor

from shiftloom.isa.requantize import Rounding

__all__ = ["exact_requantize", "exact_round"]


def exact_round(value, shift, rounding):
    """Return ``value / 2**shift`` as an integer; a negative shift multiplies."""
    exact = Fraction(value) / Fraction(2) ** shift
    if rounding is Rounding.HALF_EVEN:
        return round(exact)  # Python rounds ties to even
    if rounding is Rounding.HALF_UP:
        return floor(exact + Fraction(1, 2))
    if rounding is Rounding.FLOOR:
        return floor(exact)
    away = floor(abs(exact) + Fraction(1, 2))
    return away if exact >= 0 else -away


def exact_requantize(acc, shift, params, bias=0, addend=0):
    """Return the code of one accumulator; ``params`` names rounding, clamps and second shift."""
    first = exact_round(int(acc) + int(bias), int(shift), params["rounding"])
    first = min(max(first, params["low"]), params["high"])
    second = exact_round(first + int(addend), params["out_shift"], params["rounding"])
    return min(max(second, params["out_low"]), params["out_high"])
