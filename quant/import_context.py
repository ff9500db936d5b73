"""What the import of one model knows while it walks through the model's nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from .errors import ModelError, UnsupportedError
from .float_graph import FloatNode, Format, Host
from .host_shapes import host_shape
from .model_file import MAX_ELEMENTS

__all__ = ["Call", "Context"]

Array = NDArray[Any]

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One node of the model, with its inputs traced through identities.

    Parameters
    ----------
    op, name : str
        Operator type; a name that is unique and never empty.
    inputs, outputs : tuple of str
        Tensor names; an empty name is an input that is left out.
    attributes : mapping
        Values by name.
    proto : onnx.NodeProto
        The node itself.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: onnx.NodeProto

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]

    def input(self, index: int) -> str:
        """Return an input's name, empty when it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute, or a default."""
        return self.attributes.get(name, default)


@dataclass(kw_only=True)
class Context:
    """Tensors, constants and nodes seen so far.

    Parameters
    ----------
    opset : int
        Version of the standard operator set.
    folder : pathlib.Path, optional
        Where external data may lie.
    """

    opset: int
    folder: Path | None = None
    nodes: list[FloatNode] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    #: Tensors of integer codes between QuantizeLinear and DequantizeLinear: source and format.
    codes: dict[str, tuple[str, Format]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    #: What one integer step of quantized constants is worth; broadcasts against their values.
    steps: dict[str, Array] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        """Return the tensor that a name stands for."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def shape(self, name: str) -> Shape:
        """Return a tensor's shape.

        Raises
        ------
        ModelError
            Nothing makes this tensor.
        """
        if name in self.constants:
            return tuple(self.constants[name].shape)
        if name not in self.shapes:
            raise ModelError("SL-Q110", f"no node makes the tensor {name!r}", node=name)
        return self.shapes[name]

    def constant(self, name: str) -> Array | None:
        """Return a constant's values, or None when the tensor depends on the inputs."""
        return self.constants.get(name)

    def integers(self, call: Call, index: int, attribute: str) -> tuple[int, ...] | None:
        """Return integers given as an attribute or as a constant input; None when absent."""
        if attribute in call.attributes:
            return tuple(int(v) for v in np.atleast_1d(call.attributes[attribute]))
        if not (name := call.input(index)):
            return None
        values = self.constant(name)
        if values is None or values.size > 1024:
            raise UnsupportedError(
                "SL-Q107",
                f"{attribute} of {call.op} is computed from the input",
                node=call.name,
                allowed="a constant",
                fix="export the model with fixed shapes",
            )
        return tuple(int(v) for v in values.ravel())

    def emit(self, node: FloatNode, shape: Shape) -> None:
        """Add a node that makes a tensor of a shape.

        Raises
        ------
        ModelError
            The tensor would be too large.
        """
        if prod(shape) > MAX_ELEMENTS:
            raise ModelError(
                "SL-Q112",
                f"{node.output} has shape {tuple(shape)}",
                node=node.name,
                allowed=f"at most {MAX_ELEMENTS} elements",
            )
        self.nodes.append(node)
        self.shapes[node.output] = tuple(int(size) for size in shape)

    def alias(self, output: str, source: str) -> None:
        """Let an output stand for a tensor that exists."""
        self.aliases[output] = source

    def host(self, call: Call, reason: str) -> None:
        """Add a node that the host carries out.

        Raises
        ------
        UnsupportedError
            The host cannot either.
        """
        model = self._one_node_model(call)
        inputs = tuple(dict.fromkeys(n for n in call.inputs if n and n not in self.constants))
        shape = host_shape(model, {name: self.shape(name) for name in inputs}, self.constants)
        node = Host(
            name=call.name,
            inputs=inputs,
            output=call.output,
            op=call.op,
            reason=reason,
            model=model.SerializeToString(),
        )
        self.emit(node, shape)

    def _one_node_model(self, call: Call) -> onnx.ModelProto:
        float_type = onnx.TensorProto.FLOAT
        names = dict.fromkeys(name for name in call.inputs if name)
        inputs = [
            helper.make_tensor_value_info(name, float_type, self.shape(name))
            for name in names
            if name not in self.constants
        ]
        constants = [
            onnx.numpy_helper.from_array(np.ascontiguousarray(self.constants[name]), name)
            for name in names
            if name in self.constants
        ]
        node = onnx.NodeProto()
        node.CopyFrom(call.proto)
        del node.input[:], node.output[:]
        node.input.extend(call.inputs)
        node.output.extend(call.outputs[:1])
        output = helper.make_tensor_value_info(call.output, float_type, None)
        graph = helper.make_graph([node], "host", inputs, [output], constants)
        opset = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8)
