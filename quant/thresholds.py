"""Thresholds of TQT's quantizer (arXiv 1903.08066) and how Graffitist calibrates them."""

from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["exponent", "kl_j", "max_threshold", "quantize_values", "three_sigma"]

Array = NDArray[Any]


def exponent(threshold: float, bits: int, signed: bool) -> int:
    """Return the power of two of one code step: ``ceil(log2 t)`` less the bits of magnitude.

    A threshold of zero counts as one.
    """
    octave = ceil(log2(threshold)) if threshold > 0 else 0
    return octave - (bits - signed)


def quantize_values(values: Array, bits: int, signed: bool, step: int) -> Array:
    """Return codes in the type of the values: over ``2**step``, half to even, saturated.

    Parameters
    ----------
    values : float array
        Of any shape.
    bits, signed
        The full range is used, -2**(bits - 1) included.
    step : int
        Exponent of one code step.
    """
    low = -(1 << (bits - 1)) if signed else 0
    codes: Array = np.clip(np.rint(np.ldexp(values, -step)), low, low + (1 << bits) - 1)
    return codes


def max_threshold(values: Array) -> float:
    """Return the largest magnitude (weights in static mode)."""
    return max(abs(float(values.max())), abs(float(values.min()))) if values.size else 0.0


def three_sigma(values: Array) -> float:
    """Return ``|mean| + 3 * standard deviation`` (weights before training)."""
    return abs(float(values.mean())) + 3 * float(values.std())


def kl_j(values: Array, bits: int, signed: bool) -> float:
    """Return the threshold with the least symmetric divergence of cumulative distributions.

    The histogram of magnitudes has as many bins as the root of the number of values. A candidate
    cuts it after some bin, and its distribution is resampled to the quantizer's levels. Where the
    bins are fewer than the levels, the largest magnitude is returned.

    Parameters
    ----------
    values : float array
        Calibration data of one tensor, or of several that share a threshold.
    bits, signed
        The quantizer.
    """
    magnitudes = np.abs(values).ravel()
    largest = float(magnitudes.max()) if magnitudes.size else 0.0
    levels = 1 << (bits - signed)
    bins = ceil(magnitudes.size**0.5)
    if levels + 1 > bins or largest == 0:
        return largest
    counts = np.histogram(magnitudes, bins=bins, range=(0.0, largest))[0]
    distances = _distances(np.cumsum(counts / counts.sum()), levels)
    best = levels + 1 + int(np.argmin(distances))
    return float((best + 0.5) * largest / bins)


def _distances(reference: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Return the divergence of each candidate, from ``levels + 1`` bins up to all."""
    tail = np.where(reference > 0, (reference - 1) * np.log2(np.maximum(reference, 1e-300)), 0.0)
    after = np.append(np.cumsum(tail[::-1])[::-1], 0.0)
    candidates = range(levels + 1, reference.size + 1)
    places = np.arange(reference.size, dtype=np.float64)
    return np.array([_distance(reference, i, levels, places) + after[i] for i in candidates])


def _distance(
    reference: NDArray[np.float64], cut: int, levels: int, places: NDArray[np.float64]
) -> float:
    """Return the divergence over the bins below a cut."""
    clipped = reference[:cut].copy()
    clipped[-1] = 1.0
    nodes = np.linspace(0, cut - 1, levels)
    resampled = np.interp(places[:cut], nodes, np.interp(nodes, places[:cut], clipped))
    seen = (reference[:cut] > 0) & (resampled > 0)
    p, q = reference[:cut][seen], resampled[seen]
    return float(np.sum((p - q) * np.log2(p / q)))
