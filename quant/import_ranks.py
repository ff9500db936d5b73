"""Import of TopK and ArgMax: the host ranks what the network gives."""

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import helper

from .errors import ModelError, UnsupportedError
from .float_graph import Host
from .import_context import Call, Context

__all__ = ["arg_max", "top_k"]

#: Operator sets that the rules here are for: TopK has had its count as an input since 10.
_FIRST, _HOST = 10, 17


def arg_max(context: Context, call: Call) -> str | None:
    """Import ArgMax for the host; positions come as float, exactly."""
    shape, axis = _axis(context, call, 0)
    keep, last = bool(call.get("keepdims", 1)), int(call.get("select_last_index", 0))
    node = helper.make_node(
        "ArgMax", [call.input(0)], ["found"], axis=axis, keepdims=int(keep), select_last_index=last
    )
    after = (*shape[:axis], *((1,) if keep else ()), *shape[axis + 1 :])
    _emit(context, call, call.output, [node], after)
    return None


def top_k(context: Context, call: Call) -> str | None:
    """Import TopK for the host, its values and its positions apart; these come as float, exactly.

    Raises
    ------
    UnsupportedError
        A version that has the count as an attribute, or a count that is no constant.
    ModelError
        A count that is not that of some elements.
    """
    count = context.integers(call, 1, "")
    if context.opset < _FIRST or count is None:
        raise UnsupportedError(
            "SL-Q109",
            f"TopK of operator set {context.opset}",
            node=call.name,
            allowed="a count as input, in 10 or later",
        )
    shape, axis = _axis(context, call, -1)
    if len(count) != 1 or not 1 <= count[0] <= shape[axis]:
        allowed = f"1…{shape[axis]}"
        raise ModelError("SL-Q110", f"TopK of {count}", node=call.name, allowed=allowed)
    options: dict[str, Any] = {n: int(call.get(n, 1)) for n in ("largest", "sorted")}
    after = (*shape[:axis], count[0], *shape[axis + 1 :])
    for place, output in enumerate(call.outputs):
        made = ["", ""]
        made[place] = "found"
        nodes = [
            helper.make_node("Constant", [], ["count"], value_ints=list(count)),
            helper.make_node("TopK", [call.input(0), "count"], made, axis=axis, **options),
        ]
        if output:
            _emit(context, call, output, nodes, after)
    return None


def _axis(context: Context, call: Call, default: int) -> tuple[tuple[int, ...], int]:
    """Return the input's shape, and the axis, counted from the first."""
    shape = context.shape(call.input(0))
    axis = int(call.get("axis", default))
    if not -len(shape) <= axis < len(shape):
        raise ModelError("SL-Q110", f"axis {axis} of {len(shape)} axes", node=call.name)
    return shape, axis % len(shape)


def _emit(
    context: Context, call: Call, output: str, nodes: Sequence[Any], shape: tuple[int, ...]
) -> None:
    """Add a node for the host that gives ``found`` as float."""
    kind, source = onnx.TensorProto.FLOAT, call.input(0)
    cast = helper.make_node("Cast", ["found"], [output], to=kind)
    inputs = [helper.make_tensor_value_info(source, kind, context.shape(source))]
    outputs = [helper.make_tensor_value_info(output, kind, None)]
    graph = helper.make_graph([*nodes, cast], "host", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _HOST)], ir_version=8)
    node = Host(
        name=call.name if output == call.outputs[-1] else f"{call.name}/values",
        inputs=(source,),
        output=output,
        op=call.op,
        reason=f"the machine has no {call.op}",
        model=model.SerializeToString(),
    )
    context.emit(node, shape)
