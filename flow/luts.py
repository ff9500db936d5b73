"""LUTs of an accelerator, from a model fitted to synthesis of small ones.

``flow/luts.json`` holds what Yosys made of them for ECP5 (``python -m benchmarks.luts``). The model
is linear in what makes logic; it is fitted by least relative squares, and its error is measured by
leaving out one synthesis after the other. Larger accelerators than those are extrapolated.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config

__all__ = ["LutModel", "features", "fit", "lut_model"]

_TABLE = Path(__file__).parent / "luts.json"

Floats = NDArray[np.float64]

#: A carry cell takes two LUTs, a memory of 16 words of 4 bits four.
_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}


def features(config: Config) -> Floats:
    """Return what the model is linear in: control, multipliers of the array, lanes, and taps."""
    lanes, taps = config.columns, config.columns * config.vector_taps
    return np.array([1, config.macs_per_cycle, lanes, taps], float)


@dataclass(frozen=True, eq=False)
class LutModel:
    """A linear model.

    Parameters
    ----------
    weights : array
        Of the features.
    mean_error, largest_error : float
        Relative, of syntheses that were left out of the fit.
    multipliers : tuple of int
        Fewest and most multipliers of the array among the syntheses.
    points : int
        Number of syntheses.
    """

    weights: Floats
    mean_error: float
    largest_error: float
    multipliers: tuple[int, int]
    points: int

    def estimate(self, config: Config) -> int:
        """Return the LUTs of a configuration."""
        return max(0, round(float(features(config) @ self.weights)))

    def describe(self) -> str:
        """Return where the estimate is from and how far off it is, in a sentence."""
        low, high = self.multipliers
        return (
            f"LUTs are estimated from {self.points} syntheses for ECP5 with {low} to {high} "
            f"multipliers in the array: {self.mean_error:.1%} off on average and "
            f"{self.largest_error:.1%} at most, when left out of the fit"
        )


def _solved(rows: Floats, luts: Floats) -> Floats:
    """Return weights, none negative, with the least relative squares."""
    used = np.ones(rows.shape[1], bool)
    while True:
        weights = np.zeros(rows.shape[1])
        scaled = rows[:, used] / luts[:, None]
        weights[used] = np.linalg.lstsq(scaled, np.ones(len(luts)), rcond=None)[0]
        if weights.min() >= 0:
            return weights
        used &= weights > weights.min()


def fit(points: list[dict[str, Any]]) -> LutModel:
    """Return the model of syntheses.

    Parameters
    ----------
    points : list of dict
        ``config``, the numbers of a configuration, and ``cells``, counts by kind.
    """
    configs = [Config(name="point", **point["config"]) for point in points]
    rows = np.array([features(config) for config in configs])
    luts = np.array([_count(point["cells"]) for point in points], float)
    errors = []
    for left in range(len(points)):
        rest = np.arange(len(points)) != left
        errors.append(abs(rows[left] @ _solved(rows[rest], luts[rest]) / luts[left] - 1))
    sizes = [config.macs_per_cycle for config in configs]
    return LutModel(
        weights=_solved(rows, luts),
        mean_error=float(np.mean(errors)),
        largest_error=float(np.max(errors)),
        multipliers=(min(sizes), max(sizes)),
        points=len(points),
    )


def _count(cells: dict[str, int]) -> int:
    return sum(cells[kind] * luts for kind, luts in _LUTS.items())


@cache
def lut_model() -> LutModel:
    """Return the model of the syntheses that come with the package."""
    return fit(json.loads(_TABLE.read_text(encoding="utf-8"))["points"])
