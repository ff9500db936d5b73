"""Narrowing with limits."""

from amaranth import Mux, Value

__all__ = ["saturate"]


def _signed_width(value):
    return len(value) + (not value.shape().signed)


def saturate(value, low, high):
    """Return a signed value, or the limit that it exceeds.

    What is compared with the limits is no wider than they are.
    """
    low, high = Value.cast(low), Value.cast(high)
    width = max(_signed_width(low), _signed_width(high))
    narrow, sign, fits = value, value[-1], 1
    if len(value) > width:
        narrow, upper = value[:width].as_signed(), value[width - 1 : -1]
        fits = Mux(sign, upper.all(), ~upper.any())
    below = Mux(fits, narrow < low, sign)
    above = Mux(fits, narrow > high, ~sign)
    return Mux(below, low, Mux(above, high, narrow))
