"""Narrowing with limits."""

from collections.abc import Callable

from amaranth import Mux, Value

__all__ = ["saturate"]


def _signed_width(value):
    return len(value) + (not value.shape().signed)


def _at_once(name, value):
    return value


def saturate(value, low, high, stage: Callable = _at_once):
    """Return a signed value, or the limit that it exceeds.

    What is compared with the limits is no wider than they are.

    Parameters
    ----------
    value : Value
        Signed.
    low, high : ValueCastable
        Limits.
    stage : callable, optional
        Called with a name and a value between the comparisons and the choice; what it returns is
        chosen from: a register, which makes two stages, in which the limits must hold still.
    """
    low, high = Value.cast(low), Value.cast(high)
    width = max(_signed_width(low), _signed_width(high))
    narrow, sign, fits = value, value[-1], 1
    if len(value) > width:
        narrow, upper = value[:width].as_signed(), value[width - 1 : -1]
        fits = ~(upper ^ sign.replicate(len(upper))).any()
    below = stage("below", Mux(fits, narrow < low, sign))
    above = stage("above", Mux(fits, narrow > high, ~sign))
    return Mux(below, low, Mux(above, high, stage("narrow", narrow)))
