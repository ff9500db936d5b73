"""Quantizers as staircases: where their output rises from one code to the next, exactly.

A quantizer of any scale is a monotone function from real numbers to integers. Its steps are at
rational numbers, because scales, zero points and thresholds are stored as floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from .quantizers.comparators import Boundary

__all__ = ["ROUNDINGS", "Bank", "Rule", "Uniform", "round_exact"]

#: Rounding modes of QONNX. HALF_UP is away from zero there, HALF_DOWN towards it.
ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


def round_exact(value: Fraction, mode: str) -> int:
    """Return an integer near a rational number.

    Parameters
    ----------
    value : Fraction
        What to round.
    mode : str
        One of :data:`ROUNDINGS`.
    """
    away = ceil if value > 0 else floor
    toward = floor if value > 0 else ceil
    if mode == "ROUND":
        return round(value)  # of a fraction, half to even
    if mode in ("HALF_UP", "HALF_DOWN"):
        tie = value.denominator == 2
        nearest = floor(value + Fraction(1, 2))
        return nearest if not tie else (away if mode == "HALF_UP" else toward)(value)
    return {"CEIL": ceil, "FLOOR": floor, "UP": away, "DOWN": toward}[mode](value)


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """``code = clip(round(x / step + zero), low, high) - zero``.

    Parameters
    ----------
    step : Fraction
        Distance of two levels, in units of ``x``; positive.
    low, high : int
        Range before the zero point is subtracted.
    zero : int
        Zero point.
    rounding : str
        One of :data:`ROUNDINGS`.
    """

    step: Fraction
    low: int
    high: int
    zero: int = 0
    rounding: str = "ROUND"

    @property
    def codes(self) -> tuple[int, int]:
        """Smallest and largest code."""
        return self.low - self.zero, self.high - self.zero

    def code(self, value: Fraction) -> int:
        """Return the code of a number."""
        rounded = round_exact(value / self.step + self.zero, self.rounding)
        return min(max(rounded, self.low), self.high) - self.zero

    def rows(self) -> tuple[tuple[Boundary, ...], ...]:
        """Return where the code rises, for all channels alike."""
        return (tuple(self._rise(level) for level in range(self.low, self.high)),)

    def _rise(self, level: int) -> Boundary:
        """Return where the output rises from a level to the next."""
        offset = {"CEIL": 0, "FLOOR": 1}.get(self.rounding)
        if self.rounding in ("UP", "DOWN"):
            offset = int((level < 0) == (self.rounding == "UP"))
        place = Fraction(2 * level + 1, 2) if offset is None else Fraction(level + offset)
        included = round_exact(place, self.rounding) > level
        return Boundary(value=(place - self.zero) * self.step, included=included)


@dataclass(frozen=True, kw_only=True)
class Bank:
    """``code = low + jump * (thresholds that x reaches)``.

    Parameters
    ----------
    thresholds : tuple of tuple of Fraction
        One row, or one per channel, each sorted.
    low, jump : int
        Smallest code, and how much each threshold adds.
    """

    thresholds: tuple[tuple[Fraction, ...], ...]
    low: int
    jump: int = 1

    @property
    def codes(self) -> tuple[int, int]:
        """Smallest and largest code."""
        return self.low, self.low + self.jump * len(self.thresholds[0])

    def rows(self) -> tuple[tuple[Boundary, ...], ...]:
        """Return where the code rises, per channel; ``jump`` times at each threshold."""
        return tuple(
            tuple(Boundary(value=t) for t in row for _ in range(self.jump))
            for row in self.thresholds
        )

    def picked(self, channels: Sequence[int]) -> "Bank":
        """Return the rows of these channels."""
        if len(self.thresholds) == 1:
            return self
        rows = tuple(self.thresholds[channel] for channel in channels)
        return Bank(thresholds=rows, low=self.low, jump=self.jump)


Rule = Uniform | Bank
