"""Narrowing with limits."""

from collections.abc import Callable

from amaranth import Cat, Mux, Value

__all__ = ["saturate"]


def _signed_width(value):
    return len(value) + (not value.shape().signed)


def _at_once(name, value):
    return value


def _ordered(value, width):
    """Return a signed value as an unsigned one of the same order: carries compare these alone."""
    extended = Cat(value, (value[-1] & value.shape().signed).replicate(width - len(value)))
    return extended ^ (1 << (width - 1))


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
    order, least, most = (_ordered(value, width) for value in (narrow, low, high))
    below = stage("below", Mux(fits, order < least, sign))
    above = stage("above", Mux(fits, order > most, ~sign))
    return Mux(below, low, Mux(above, high, stage("narrow", narrow)))
