"""Import of LeakyRelu: split into what the machine has, as Graffitist splits it."""

from math import frexp, log2

import numpy as np

from .float_graph import Add, Affine, Clip
from .import_context import Call, Context

__all__ = ["leaky_relu"]

#: Smallest slope, by its exponent: less than a code of 8 bits.
LEAST = -8


def leaky_relu(context: Context, call: Call) -> str | None:
    """Import LeakyRelu as ``clip(x, 0, inf) + clip(slope * x, -inf, 0)``.

    That is ``max(x, slope * x)``: one of the terms is always zero, so that their sum is exact. The
    machine scales by shifts, so it has slopes that are powers of two alone.
    """
    slope, source = float(call.get("alpha", 0.01)), call.input(0)
    mantissa, exponent = frexp(slope)
    if mantissa != 0.5 or not LEAST < exponent <= 0:
        near = 2.0 ** min(max(round(log2(slope)), LEAST), -1) if slope > 0 else 0.125
        return (
            f"its slope {slope:g} is not a power of two of 2^{LEAST} to 2^-1: train with {near:g}"
        )
    shape = context.shape(source)
    above, scaled, below = (f"{call.output}/{part}" for part in ("above", "scaled", "below"))
    context.emit(Clip(name=above, inputs=(source,), output=above, low=0.0), shape)
    factor = Affine(
        name=scaled,
        inputs=(source,),
        output=scaled,
        scale=np.full(1, slope, np.float32),
        shift=np.zeros(1, np.float32),
        axis=min(1, len(shape) - 1),
    )
    context.emit(factor, shape)
    context.emit(Clip(name=below, inputs=(scaled,), output=below, high=0.0), shape)
    context.emit(Add(name=call.name, inputs=(above, below), output=call.output), shape)
    return None
