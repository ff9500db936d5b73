"""Exact integrals and quantiles of the normal distribution."""

from math import erf, exp, pi, sqrt

import numpy as np

__all__ = ["normal_error", "normal_quantiles"]


def _moments(edge):
    """Return integrals of 1, x and x**2 times the normal density up to an edge."""
    if np.isinf(edge):
        return np.array([float(edge > 0), 0.0, float(edge > 0)])
    density = exp(-edge * edge / 2) / sqrt(2 * pi)
    mass = (1 + erf(edge / sqrt(2))) / 2
    return np.array([mass, -density, mass - edge * density])


def normal_error(step, low, high, rectified):
    """Return the mean squared error on normal, or rectified normal, values by exact integrals."""
    error = 0.0
    for code in range(low, high + 1):
        left = (0.0 if rectified else -np.inf) if code == low else (code - 0.5) * step
        right = np.inf if code == high else (code + 0.5) * step
        mass, mean, square = _moments(right) - _moments(left)
        error += square - 2 * code * step * mean + (code * step) ** 2 * mass
    return error


def normal_quantiles(places):
    """Return quantiles of the normal distribution by interpolating its distribution function."""
    nodes = np.linspace(-5.5, 5.5, 40001)
    mass = np.array([(1 + erf(node / sqrt(2))) / 2 for node in nodes])
    return np.interp(places, mass, nodes)
