"""Shapes that the host's operators make.

ONNX's own shape inference is compiled code that damaged models can crash, so shapes come from
rules, or from running the reference evaluator on zeros once the result is known to be small.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from .errors import ModelError, UnsupportedError
from .model_file import MAX_ELEMENTS

__all__ = ["HOST_OPERATORS", "host_shape"]

Array = NDArray[Any]
Shape = tuple[int, ...]

#: Operators that keep the shape of their first input.
_SAME_NAMES = """
    Abs Acos Asin Atan Ceil Celu Clip Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax
    InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization Mish
    Neg PRelu Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tan
    Tanh ThresholdedRelu
"""
_SAME = frozenset(_SAME_NAMES.split())

#: Operators whose inputs broadcast.
_BROADCAST = frozenset(["Add", "Div", "Max", "Mean", "Min", "Mod", "Mul", "Pow", "Sub", "Sum"])

#: Operators whose result is not larger than their inputs together, but for padding.
_BOUNDED_NAMES = """
    AveragePool Concat Conv DepthToSpace Gather Gemm GlobalAveragePool GlobalLpPool
    GlobalMaxPool LpPool MatMul MaxPool Pad ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Slice SpaceToDepth
    Transpose
"""
_BOUNDED = frozenset(_BOUNDED_NAMES.split())

#: Operators that enlarge feature maps.
_GROWING = frozenset({"ConvTranspose", "Resize", "Upsample"})

HOST_OPERATORS = _SAME | _BROADCAST | _BOUNDED | _GROWING

#: Largest attribute that a growing or padding operator may have.
_LARGEST = 4096


def host_shape(
    model: onnx.ModelProto, inputs: Mapping[str, Shape], constants: Mapping[str, Array]
) -> Shape:
    """Return the shape of what a one-node model makes.

    Raises
    ------
    UnsupportedError
        The operator is not one of :data:`HOST_OPERATORS`.
    ModelError
        The node is malformed, or its result would be too large.
    """
    (node,) = model.graph.node
    if node.op_type not in HOST_OPERATORS:
        raise UnsupportedError(
            "SL-Q109",
            f"operator {node.op_type}",
            node=node.name,
            allowed="operators of the machine, and float operators for the host",
            fix="replace it, or leave it out of the model",
        )
    shapes = [tuple(constants[n].shape) if n in constants else inputs[n] for n in node.input if n]
    if node.op_type in _SAME:
        return shapes[0]
    if node.op_type in _BROADCAST:
        return np.broadcast_shapes(*shapes)
    bound = max(1, *(prod(shape) for shape in shapes)) * _growth(node, constants)
    if bound > MAX_ELEMENTS >> 4:
        raise ModelError(
            "SL-Q112",
            f"{node.op_type} may make {bound} elements",
            node=node.name,
            allowed=f"at most {MAX_ELEMENTS >> 4}",
        )
    zeros = {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
    with np.errstate(all="ignore"):
        (result,) = ReferenceEvaluator(model).run(None, zeros)
    return tuple(np.shape(result))


def _growth(node: onnx.NodeProto, constants: Mapping[str, Array]) -> int:
    """Return a bound of how much larger than its largest input a result is."""
    if node.op_type in ("Resize", "Upsample"):
        factors = [constants[n] for n in node.input[1:] if n in constants]
        return int(max([1.0, *(float(np.prod(np.maximum(f, 1))) for f in factors if f.size)]))
    if node.op_type == "Pad":
        counts = constants[node.input[1]] if len(node.input) > 1 else np.zeros(1)
        return int(np.prod(1 + np.abs(counts.astype(np.float64))))
    if node.op_type != "ConvTranspose":
        return 1
    values = [v for a in node.attribute for v in (*a.ints, a.i)]
    if values and not -1 <= min(values) <= max(values) <= _LARGEST:
        raise ModelError("SL-Q110", f"attributes up to {max(values)}", node=node.name)
    strides = [int(v) for a in node.attribute if a.name == "strides" for v in a.ints]
    return 16 * prod(max(1, stride) for stride in strides)
