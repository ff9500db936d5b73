"""The verb ``info``: what a file holds."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..isa.config import Config, load_config, named_configs
from ..isa.program import Program, load_program
from ..quant.export import from_onnx, is_quantized
from ..quant.graph import Conv, QuantGraph
from ..quant.model_file import operator_set, read_model
from .kinds import is_program

__all__ = ["info"]

Facts = dict[str, Any]


def info(path: str | Path) -> Facts:
    """Return what a file holds, as names and values.

    Parameters
    ----------
    path : str or pathlib.Path
        A model, a quantized model, a program, a configuration's TOML file, or a configuration's
        name.

    Raises
    ------
    ModelError, ProgramError, ConfigError, OSError
        The file cannot be read.
    """
    if Path(path).suffix == ".toml" or (str(path) in named_configs() and not Path(path).exists()):
        return _config(load_config(path))
    if is_program(path):
        return _program(load_program(path))
    if is_quantized(path):
        return _network(from_onnx(path))
    return _model(path)


def _config(config: Config) -> Facts:
    return {
        "kind": "configuration",
        "name": config.name,
        "id": f"{config.id:#010x}",
        "array": f"{config.rows} x {config.columns}",
        "MACs per cycle": config.macs_per_cycle,
        "vector taps per cycle": config.columns * config.vector_taps,
        "bus": f"{8 * config.bus_bytes} bits",
        "activation buffer": f"{config.activation_bytes:,} bytes",
        "weight buffer": f"{config.weight_bytes:,} bytes",
        "parameter buffer": f"{config.parameter_bytes:,} bytes",
        "accumulators": f"2 x {config.accumulator_pixels} x {config.columns} x 32 bits",
        "on-chip memory": f"{config.memory_bits:,} bits",
    }


def _program(program: Program) -> Facts:
    segments = program.segments
    hosted = len(program.steps) - len(segments)
    return {
        "kind": "program",
        "name": program.name,
        "configuration": f"{program.config.name} ({program.config.id:#010x})",
        "inputs": _places(program, program.inputs),
        "outputs": _places(program, program.outputs),
        "instructions": sum(segment.count for segment in segments),
        "instruction bytes": len(program.code),
        "constants": f"{len(program.constants):,} bytes",
        "regions": ", ".join(f"{size:,}" for size in program.region_bytes) + " bytes",
        "steps": f"{len(segments)} on the machine, {hosted} on the host",
        "layers": len(program.layers),
        "MACs": sum(layer.macs for layer in program.layers),
    }


def _places(program: Program, names: Iterable[str]) -> str:
    known = {place.tensor: place.shape for place in program.places}
    return ", ".join(f"{name} {known.get(name, '(on the host)')}" for name in names)


def _network(graph: QuantGraph) -> Facts:
    kinds = Counter(type(node).__name__ for node in graph.nodes)
    convs = [node for node in graph.nodes if isinstance(node, Conv)]
    return {
        "kind": "quantized network",
        "name": graph.name,
        "inputs": _formats(graph, graph.inputs),
        "outputs": _formats(graph, graph.outputs),
        "layers": ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        "weights": sum(node.weight.size for node in convs),
        "MACs": sum(_macs(graph, node) for node in convs),
    }


def _macs(graph: QuantGraph, node: Conv) -> int:
    _, height, width = graph.tensors[node.output].shape
    return int(node.weight.size) * height * width


def _formats(graph: QuantGraph, names: Iterable[str]) -> str:
    return ", ".join(f"{name} {_format(graph, name)}" for name in names)


def _format(graph: QuantGraph, name: str) -> str:
    tensor = graph.tensors.get(name)
    if tensor is None:
        return "(float, on the host)"
    sign = "int" if tensor.signed else "uint"
    return f"{graph.edges[name].shape} as {sign}{tensor.bits} x 2^{tensor.exponent}"


def _model(path: str | Path) -> Facts:
    model, _ = read_model(path)
    kinds = Counter(node.op_type for node in model.graph.node)
    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        "kind": "ONNX model",
        "name": model.graph.name,
        "opset": operator_set(model),
        "inputs": ", ".join(v.name for v in model.graph.input if v.name not in constants),
        "outputs": ", ".join(value.name for value in model.graph.output),
        "nodes": ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
        "constants": len(constants),
    }
