"""Folding of nodes whose inputs are all constant, and of the shapes of tensors."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from .errors import ModelError, UnsupportedError
from .import_context import Call, Context
from .import_quant import dequantize_constant, quantize_constant, weight_format
from .interchange import qonnx_nodes
from .model_file import MAX_ELEMENTS, tensor_array

__all__ = ["fold"]

Array = NDArray[Any]

#: Operators that are folded by the reference evaluator: none makes more than it is given.
_REFERENCE_NAMES = """
    Abs Add Cast Ceil Clip Concat Div Equal Exp Flatten Floor Gather GatherND Greater Less Log
    MatMul Max Min Mod Mul Neg Not Pow Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Relu Reshape Round Shape Sigmoid Sign Size Slice Split Sqrt Squeeze Sub Sum Tanh
    Transpose Unsqueeze Where
"""
_REFERENCE = frozenset(_REFERENCE_NAMES.split())

#: Operators that only rearrange what they are given.
_REARRANGING = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def fold(context: Context, call: Call) -> bool:
    """Evaluate a node on constants, if it can be, and store its outputs as constants.

    Raises
    ------
    UnsupportedError
        The inputs are constant, but the operator may not be folded.
    """
    if call.op in ("Shape", "Size") and call.input(0) in context.shapes:
        context.constants[call.output] = _shape_of(context, call)
        return True
    if not all(name in context.constants for name in call.inputs if name):
        return False
    if call.op in _FOLDERS:
        context.constants[call.output] = _FOLDERS[call.op](context, call)
        _keep_format(context, call)
        _keep_steps(context, call)
        return True
    if not call.inputs or call.op not in _REFERENCE:
        raise UnsupportedError(
            "SL-Q109",
            f"{call.op} of constants",
            node=call.name,
            fix="fold constants at export, for example with onnxsim",
        )
    _evaluate(context, call)
    _keep_format(context, call)
    _keep_steps(context, call)
    return True


def _keep_steps(context: Context, call: Call) -> None:
    """Rearrange the steps of quantized constants as the constants themselves."""
    source = call.input(0)
    if call.op not in _REARRANGING or source not in context.steps:
        return
    full = np.broadcast_to(context.steps[source], context.constants[source].shape)
    other = replace(context, constants={**context.constants, source: full.copy()}, steps={})
    fold(other, call)
    context.steps[call.output] = other.constants[call.output]


def _keep_format(context: Context, call: Call) -> None:
    if call.op == "DequantizeLinear":
        form = weight_format(context, call)
    else:
        form = context.formats.get(call.input(0)) if call.op in ("Transpose", "Reshape") else None
        form = form if form is not None and len(form.exponents) == 1 else None
    if form is not None:
        context.formats[call.output] = form


def _shape_of(context: Context, call: Call) -> Array:
    shape = np.array(context.shape(call.input(0)), dtype=np.int64)
    if call.op == "Size":
        return np.array(prod(shape.tolist()), dtype=np.int64)
    return shape[call.get("start", 0) : call.get("end", None)]


def _constant(context: Context, call: Call) -> Array:
    for name, kind in (("value_float", np.float32), ("value_int", np.int64)):
        if name in call.attributes:
            return np.array(call.attributes[name], dtype=kind)
    for name, kind in (("value_floats", np.float32), ("value_ints", np.int64)):
        if name in call.attributes:
            return np.array(call.attributes[name], dtype=kind)
    if not isinstance(call.get("value", None), onnx.TensorProto):
        raise UnsupportedError("SL-Q110", "Constant without a dense value", node=call.name)
    return tensor_array(call.attributes["value"], context.folder)


def _constant_of_shape(context: Context, call: Call) -> Array:
    shape = tuple(int(size) for size in context.constants[call.input(0)].ravel())
    if min(shape, default=0) < 0 or prod(shape) > MAX_ELEMENTS:
        raise ModelError(
            "SL-Q112",
            f"ConstantOfShape makes {list(shape)}",
            node=call.name,
            allowed=f"at most {MAX_ELEMENTS} elements",
        )
    value = call.get("value", None)
    filler = np.zeros(1, np.float32) if value is None else tensor_array(value, context.folder)
    return np.broadcast_to(filler.ravel()[0], shape)  # takes no memory


def _identity(context: Context, call: Call) -> Array:
    return context.constants[call.input(0)]


def _unsqueeze(context: Context, call: Call) -> Array:
    array = context.constants[call.input(0)]
    axes = context.integers(call, 1, "axes") or ()
    return np.expand_dims(array, axes)


_FOLDERS: dict[str, Callable[[Context, Call], Array]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": _identity,
    "BipolarQuant": qonnx_nodes.bipolar_constant,
    "IntQuant": qonnx_nodes.quant_constant,
    "Quant": qonnx_nodes.quant_constant,
    "Dropout": _identity,
    "QuantizeLinear": quantize_constant,
    "DequantizeLinear": dequantize_constant,
    "Unsqueeze": _unsqueeze,
}


def _evaluate(context: Context, call: Call) -> None:
    names = [name for name in call.inputs if name]
    infos = [
        helper.make_tensor_value_info(n, _element_type(context.constants[n]), None)
        for n in dict.fromkeys(names)
    ]
    node = onnx.NodeProto()
    node.CopyFrom(call.proto)
    del node.input[:]
    node.input.extend(call.inputs)
    outputs = [onnx.ValueInfoProto(name=name) for name in call.outputs if name]
    graph = helper.make_graph([node], "constants", infos, outputs)
    opset = [helper.make_opsetid("", context.opset)]
    model = helper.make_model(graph, opset_imports=opset)
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, {n: context.constants[n] for n in names})
    except Exception as error:  # the evaluator raises whatever NumPy raises
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ModelError("SL-Q110", f"{call.op}: {text}", node=call.name) from None
    for output, result in zip(outputs, results, strict=True):
        context.constants[output.name] = np.asarray(result)


def _element_type(array: Array) -> int:
    return int(helper.np_dtype_to_tensor_dtype(array.dtype))
