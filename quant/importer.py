"""Import of float, QDQ and QONNX models."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from . import import_elementwise as elementwise
from . import import_layers as layers
from . import import_pools as pools
from . import import_quant as quant
from . import import_ranks as ranks
from . import import_shapes as shapes
from .errors import ModelError, UnsupportedError
from .float_graph import FloatGraph, Reshape
from .import_constants import fold
from .import_context import Call, Context
from .import_leaky import leaky_relu
from .interchange import qonnx_nodes as qonnx
from .model_file import operator_set, read_model, tensor_array
from .rewrite import rename

__all__ = ["HANDLERS", "begin", "calls", "finish", "import_node", "import_onnx"]

Array = NDArray[Any]
Model = onnx.ModelProto | str | Path

#: How each operator is imported; all others go to the host.
HANDLERS: Mapping[str, Callable[[Context, Call], str | None]] = {
    "Add": elementwise.add,
    "ArgMax": ranks.arg_max,
    "AveragePool": pools.average_pool,
    "BatchNormalization": elementwise.batch_norm,
    "BipolarQuant": qonnx.bipolar,
    "Clip": elementwise.clip,
    "Concat": shapes.concat,
    "Conv": layers.conv,
    "DequantizeLinear": quant.dequantize,
    "Div": elementwise.scale,
    "Dropout": elementwise.identity,
    "Flatten": shapes.flatten,
    "Gemm": layers.gemm,
    "GlobalAveragePool": pools.global_pool,
    "GlobalMaxPool": pools.global_pool,
    "Identity": elementwise.identity,
    "IntQuant": qonnx.quant,
    "MatMul": layers.matmul,
    "MaxPool": pools.max_pool,
    "Mul": elementwise.scale,
    "MultiThreshold": qonnx.multi_threshold,
    "Pad": shapes.pad,
    "Quant": qonnx.quant,
    "QuantizeLinear": quant.quantize,
    "ReduceMean": pools.reduce_mean,
    "Relu": elementwise.relu,
    "Reshape": shapes.reshape,
    "Hardmax": elementwise.softmax,
    "LeakyRelu": leaky_relu,
    "LogSoftmax": elementwise.softmax,
    "Slice": shapes.slice_,
    "Softmax": elementwise.softmax,
    "Split": shapes.split,
    "Squeeze": shapes.squeeze,
    "Sub": elementwise.add,
    "Sum": elementwise.sum_all,
    "TopK": ranks.top_k,
    "Transpose": shapes.transpose,
    "Trunc": qonnx.trunc,
    "Unsqueeze": shapes.squeeze,
}

_FLOATS = (onnx.TensorProto.FLOAT,)

#: What NumPy and Python raise on values that no valid model has.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def import_onnx(model: Model, constants: Mapping[str, Array] | None = None) -> FloatGraph:
    """Return the float graph of an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto, str or pathlib.Path
        A float model, one with QuantizeLinear and DequantizeLinear at power-of-two scales, or a
        QONNX model.
    constants : mapping, optional
        Values for inputs that are weights.

    Raises
    ------
    ModelError
        The model cannot be read, or holds something that cannot be carried out.
    """
    parsed, context = begin(model, constants)
    for call in calls(parsed, context):
        import_node(context, call)
    return finish(parsed, context)


def begin(
    model: Model, constants: Mapping[str, Array] | None = None
) -> tuple[onnx.ModelProto, Context]:
    """Read a model's constants and inputs, before any node."""
    parsed, folder = read_model(model)
    context = Context(opset=operator_set(parsed), folder=folder)
    if parsed.graph.sparse_initializer:
        raise UnsupportedError("SL-Q108", "sparse initializers", fix="export dense weights")
    for tensor in parsed.graph.initializer:
        context.constants[tensor.name] = tensor_array(tensor, folder)
    context.constants.update({k: np.asarray(v) for k, v in (constants or {}).items()})
    for value in parsed.graph.input:
        if value.name not in context.constants:
            context.shapes[value.name] = _input_shape(value)
    return parsed, context


def _input_shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _FLOATS:
        names = onnx.TensorProto.DataType
        kind = names.Name(tensor.elem_type) if tensor.elem_type in names.values() else "no tensor"
        raise UnsupportedError(
            "SL-Q108",
            f"input of type {kind}",
            node=value.name,
            allowed="FLOAT",
            fix="export the model with float32 inputs",
        )
    sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
    if sizes and sizes[0] < 1 and not tensor.shape.dim[0].HasField("dim_value"):
        sizes[0] = 1  # a free batch
    unknown = any(not d.HasField("dim_value") for d in tensor.shape.dim[1:])
    if not tensor.HasField("shape") or unknown or min(sizes, default=0) < 0:
        shown = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in tensor.shape.dim]
        raise ModelError(
            "SL-Q107",
            f"input of shape {shown}",
            node=value.name,
            allowed="fixed sizes after the batch",
            fix="export the model with fixed shapes",
        )
    return tuple(sizes)


def calls(parsed: onnx.ModelProto, context: Context) -> list[Call]:
    """Return the model's nodes with unique names; inputs are traced when each is imported."""
    seen: set[str] = set()
    result = []
    for proto in parsed.graph.node:
        name = proto.name or next(iter(proto.output), proto.op_type)
        while name in seen:
            name += "_"
        seen.add(name)
        result.append(
            Call(
                op=proto.op_type,
                name=name,
                inputs=tuple(proto.input),
                outputs=tuple(proto.output),
                attributes=_attributes(proto, name),
                proto=proto,
            )
        )
    return result


def _attributes(proto: onnx.NodeProto, name: str) -> dict[str, Any]:
    try:
        values = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    except ValueError as error:
        raise ModelError("SL-Q110", f"attribute: {error}", node=name) from None
    return {
        k: v.decode("utf-8", "replace") if isinstance(v, bytes) else v for k, v in values.items()
    }


def import_node(context: Context, call: Call) -> None:
    """Import one node.

    Raises
    ------
    ModelError
        The node is malformed, or nothing carries it out.
    """
    try:
        _import(context, _traced(context, call))
    except ModelError:
        raise
    except MALFORMED as error:  # an attribute of a wrong type or length, for example
        text = f"{call.op}: {error}".splitlines()[0][:200]
        raise ModelError("SL-Q110", text, node=call.name) from None


def _import(context: Context, call: Call) -> None:
    _check(context, call)
    if fold(context, call):
        return
    if call.op == "Clip" and call.input(0) in context.codes:
        quant.clip_codes(context, call)
        return
    if call.op != "DequantizeLinear" and any(name in context.codes for name in call.inputs):
        raise UnsupportedError(
            "SL-Q109",
            f"{call.op} of integer codes",
            node=call.name,
            allowed="Clip and DequantizeLinear after QuantizeLinear",
        )
    handler = HANDLERS.get(call.op)
    reason = handler(context, call) if handler else f"the machine has no {call.op}"
    if reason:
        context.host(call, reason)


def _traced(context: Context, call: Call) -> Call:
    return Call(
        op=call.op,
        name=call.name,
        inputs=tuple(context.resolve(name) for name in call.inputs),
        outputs=call.outputs,
        attributes=call.attributes,
        proto=call.proto,
    )


def _check(context: Context, call: Call) -> None:
    known = call.op in qonnx.OPERATORS
    if call.proto.domain not in (qonnx.DOMAINS if known else ("", "ai.onnx")):
        raise UnsupportedError(
            "SL-Q109",
            f"operator {call.proto.domain}.{call.op}",
            node=call.name,
            allowed="operators of the standard ONNX domain, and QONNX's "
            + ", ".join(qonnx.OPERATORS),
        )
    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    if any(a.type in graphs for a in call.proto.attribute) or not call.outputs:
        raise UnsupportedError("SL-Q109", f"control flow ({call.op})", node=call.name)
    for name in call.inputs:
        if name and name not in context.codes:
            context.shape(name)
    for name in call.outputs:
        if name in context.shapes or name in context.constants or name in context.aliases:
            raise ModelError("SL-Q110", f"two nodes make the tensor {name!r}", node=call.name)


def finish(parsed: onnx.ModelProto, context: Context) -> FloatGraph:
    """Return the graph of the nodes imported so far."""
    names = [value.name for value in parsed.graph.output]
    inputs = tuple(v.name for v in parsed.graph.input if v.name not in context.constants)
    renamed: dict[str, str] = {}
    for name in dict.fromkeys(names):
        source = context.resolve(name)
        if source in context.constants or source in context.codes:
            raise UnsupportedError(
                "SL-Q109", "an output that is constant or integer codes", node=name
            )
        context.shape(source)
        if source == name:
            continue
        if source in inputs or source in names or source in renamed:
            node = Reshape(name=f"{name}/copy", inputs=(source,), output=name)
            context.emit(node, context.shape(source))
        else:
            renamed[source] = name
    graph = FloatGraph(
        name=parsed.graph.name or "model",
        inputs=inputs,
        outputs=tuple(dict.fromkeys(names)),
        shapes=context.shapes,
        nodes=tuple(context.nodes),
    )
    return rename(graph, renamed)
