"""Values some cycles later."""

from amaranth import Signal, Value

__all__ = ["delayed"]


def delayed(m, value, cycles, name, *, reset_less=False):
    """Return a value now and after each of the next cycles, in registers ``name_1`` and so on."""
    values = [value if hasattr(value, "shape") else Value.cast(value)]
    for cycle in range(1, cycles + 1):
        later = Signal.like(values[-1], name=f"{name}_{cycle}", reset_less=reset_less)
        m.d.sync += later.eq(values[-1])
        values.append(later)
    return values
