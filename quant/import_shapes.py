"""Import of operators that move elements; see ``import_layers`` for the contract."""

from itertools import pairwise
from math import prod

import numpy as np

from .errors import ModelError
from .float_graph import Concat, Pad, Reshape, Slice, Transpose
from .import_context import Call, Context

__all__ = ["concat", "flatten", "pad", "reshape", "slice_", "split", "squeeze", "transpose"]

Shape = tuple[int, ...]


def _emit_reshape(context: Context, call: Call, shape: Shape) -> None:
    source = context.shape(call.input(0))
    if prod(shape) != prod(source):
        raise ModelError("SL-Q107", f"{source} does not fill {shape}", node=call.name)
    context.emit(Reshape(name=call.name, inputs=(call.input(0),), output=call.output), shape)


def reshape(context: Context, call: Call) -> None:
    """Import Reshape to a constant shape."""
    source = context.shape(call.input(0))
    target = list(context.integers(call, 1, "shape") or ())
    for axis, size in enumerate(target):
        if size == 0 and not call.get("allowzero", 0) and axis < len(source):
            target[axis] = source[axis]
    if target.count(-1) == 1:
        known = prod(size for size in target if size != -1)
        target[target.index(-1)] = prod(source) // known if known else 0
    _emit_reshape(context, call, tuple(target))


def flatten(context: Context, call: Call) -> None:
    """Import Flatten."""
    source = context.shape(call.input(0))
    axis = int(call.get("axis", 1))
    axis = axis + len(source) if axis < 0 else axis
    _emit_reshape(context, call, (prod(source[:axis]), prod(source[axis:])))


def squeeze(context: Context, call: Call) -> None:
    """Import Squeeze and Unsqueeze."""
    source = context.shape(call.input(0))
    axes = context.integers(call, 1, "axes")
    if call.op == "Unsqueeze":
        rank = len(source) + len(axes or ())
        places = {axis % rank for axis in axes or ()}
        sizes = iter(source)
        target = tuple(1 if axis in places else next(sizes) for axis in range(rank))
    elif axes is None:
        target = tuple(size for size in source if size != 1)
    else:
        places = {axis % len(source) for axis in axes}
        target = tuple(size for axis, size in enumerate(source) if axis not in places)
    _emit_reshape(context, call, target)


def transpose(context: Context, call: Call) -> None:
    """Import Transpose."""
    source = context.shape(call.input(0))
    permutation = tuple(int(a) for a in call.get("perm", range(len(source))[::-1]))
    if sorted(permutation) != list(range(len(source))):
        raise ModelError("SL-Q107", f"perm {permutation} on {source}", node=call.name)
    node = Transpose(
        name=call.name, inputs=(call.input(0),), output=call.output, permutation=permutation
    )
    context.emit(node, tuple(source[axis] for axis in permutation))


def concat(context: Context, call: Call) -> str | None:
    """Import Concat."""
    if any(name in context.constants for name in call.inputs):
        return "one of its inputs is constant"
    shapes = [context.shape(name) for name in call.inputs]
    axis = int(call.get("axis", 1)) % max(1, len(shapes[0]))
    rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rests) != 1:
        raise ModelError("SL-Q107", f"inputs {shapes} along axis {axis}", node=call.name)
    if len(call.inputs) == 1:
        context.alias(call.output, call.input(0))
        return None
    total = sum(shape[axis] for shape in shapes)
    node = Concat(name=call.name, inputs=call.inputs, output=call.output, axis=axis)
    context.emit(node, (*shapes[0][:axis], total, *shapes[0][axis + 1 :]))
    return None


def pad(context: Context, call: Call) -> str | None:
    """Import Pad with zeros."""
    source = context.shape(call.input(0))
    counts = context.integers(call, 1, "pads") or ()
    axes = context.integers(call, 3, "axes") or tuple(range(len(source)))
    value = context.constants.get(call.input(2), np.float32(call.get("value", 0.0)))
    if call.get("mode", "constant") != "constant" or np.any(value):
        return "only padding with zeros runs on the machine"
    if len(counts) != 2 * len(axes):
        raise ModelError("SL-Q107", f"pads {counts} for axes {axes}", node=call.name)
    before, after = [0] * len(source), [0] * len(source)
    for index, axis in enumerate(axes):
        before[axis], after[axis] = counts[index], counts[index + len(axes)]
    shape = tuple(b + size + a for b, size, a in zip(before, source, after, strict=True))
    if min(shape, default=0) < 0:
        raise ModelError("SL-Q107", f"pads {counts} on {source}", node=call.name)
    node = Pad(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        before=tuple(before),
        after=tuple(after),
    )
    context.emit(node, shape)
    return None


def slice_(context: Context, call: Call) -> str | None:
    """Import Slice with positive steps."""
    source = context.shape(call.input(0))
    starts = context.integers(call, 1, "starts") or ()
    stops = context.integers(call, 2, "ends") or ()
    axes = context.integers(call, 3, "axes") or tuple(range(len(starts)))
    steps = context.integers(call, 4, "steps") or (1,) * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps):
        raise ModelError("SL-Q107", f"starts {starts}, ends {stops}", node=call.name)
    if min(steps, default=1) < 1:
        return "only positive steps run on the machine"
    ranges = [range(size) for size in source]
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        ranges[axis] = range(*slice(start, stop, step).indices(source[axis]))
    _emit_slice(context, call, call.output, ranges)
    return None


def _emit_slice(context: Context, call: Call, output: str, ranges: list[range]) -> None:
    node = Slice(
        name=call.name if output == call.output else output,
        inputs=(call.input(0),),
        output=output,
        start=tuple(r.start for r in ranges),
        stop=tuple(r.stop for r in ranges),
        step=tuple(r.step for r in ranges),
    )
    context.emit(node, tuple(len(r) for r in ranges))


def split(context: Context, call: Call) -> str | None:
    """Import Split as slices."""
    source = context.shape(call.input(0))
    axis = int(call.get("axis", 0)) % max(1, len(source))
    parts = context.integers(call, 1, "split")
    if parts is None:
        size = -(-source[axis] // len(call.outputs))
        parts = tuple(min(size, source[axis] - size * i) for i in range(len(call.outputs)))
    if sum(parts) != source[axis] or len(parts) != len(call.outputs):
        raise ModelError("SL-Q107", f"split {parts} of {source[axis]}", node=call.name)
    edges = np.cumsum([0, *parts]).tolist()
    for output, (start, stop) in zip(call.outputs, pairwise(edges), strict=True):
        ranges = [range(size) for size in source]
        ranges[axis] = range(start, stop)
        _emit_slice(context, call, output, ranges)
    return None
