"""Import of what joins several tensors of codes."""

from dataclasses import replace

import numpy as np

from ...isa.requantize import Requantize
from .. import float_graph as fg
from ..errors import UnsupportedError
from ..graph import Add, Concat, TensorType
from .closing import log2_exact
from .inputs import format_of_codes
from .open_layer import Chain, OpenLayer, identity_layer
from .values import Coded, Values

__all__ = ["concat", "open_add"]

#: Largest left shift of an input of an addition.
MAX_ADD_SHIFT = 7


def open_add(values: Values, node: fg.Add) -> OpenLayer:
    """Return an addition of codes whose sums wait for a quantizer."""
    terms = [values.coded(name, node.name) for name in node.inputs]
    finest = min(term.scale for term in terms)
    shifts = [log2_exact(term.scale / finest) for term in terms]
    if any(shift is None or shift > MAX_ADD_SHIFT for shift in shifts):
        scales = " and ".join(f"{float(term.scale):.6g}" for term in terms)
        raise UnsupportedError(
            "SL-Q104",
            f"terms with scales {scales}",
            node=node.name,
            allowed=f"scales that are equal or a power of two of at most {MAX_ADD_SHIFT} apart",
            fix="quantize both terms of an addition with one scale",
        )
    tensors = [values.made.tensors[term.name] for term in terms]
    places = [shift or 0 for shift in shifts]
    low = sum(t.low << s for t, s in zip(tensors, places, strict=True))
    high = sum(t.high << s for t, s in zip(tensors, places, strict=True))
    shape = values.shape(node.output)
    add = Add(
        name=node.name,
        inputs=tuple(term.name for term in terms),
        output=node.output,
        requantize=Requantize(),
        shifts=(places[0], places[1]),
    )
    sums = TensorType(shape=shape, exponent=0)
    conv = identity_layer(f"{node.name}/sum", terms[0].name, sums)
    bounds = (np.full(shape[0], low), np.full(shape[0], high))
    chain = Chain.linear([finest] * shape[0]).clip(node.low, node.high)
    return OpenLayer(conv=conv, reach=bounds, chain=chain, add=add)


def concat(values: Values, node: fg.Concat) -> Coded:
    """Emit a concatenation of codes."""
    parts = [values.coded(name, node.name) for name in node.inputs]
    if len({part.scale for part in parts}) > 1:
        scales = ", ".join(f"{float(part.scale):.6g}" for part in parts)
        raise UnsupportedError(
            "SL-Q104",
            f"parts with scales {scales}",
            node=node.name,
            allowed="one scale",
            fix="quantize the concatenated tensors with one scale",
        )
    tensors = [values.made.tensors[part.name] for part in parts]
    low, high = min(t.low for t in tensors), max(t.high for t in tensors)
    shape, exponent = values.shape(node.output), tensors[0].exponent
    tensor = format_of_codes(shape, low, high, exponent)
    if tensor is None:
        raise UnsupportedError("SL-Q114", f"codes {low} to {high}", node=node.name)
    inputs = tuple(_widened(values, part, tensor, node, i) for i, part in enumerate(parts))
    values.made.emit(
        Concat(name=values.unique(node.name), inputs=inputs, output=node.output), tensor
    )
    return Coded(node.output, parts[0].scale)


def _widened(values: Values, part: Coded, wanted: TensorType, node: fg.Concat, index: int) -> str:
    """Return a tensor in a format that holds more than its own."""
    source = values.made.tensors[part.name]
    tensor = replace(wanted, shape=source.shape)
    return part.name if source == tensor else values.copy(part, f"{node.output}/{index}", tensor)
