"""Quantized networks and programs from whatever a user names."""

from pathlib import Path

from ..isa.config import Config, ConfigError, load_config
from ..isa.program import Program, ProgramError, load_program
from ..quant.blob import graph_from_bytes
from ..quant.errors import ModelError
from ..quant.export import from_onnx
from ..quant.graph import QuantGraph
from .compile import compile
from .errors import FlowError
from .kinds import is_program
from .progress import Progress

__all__ = ["Source", "open_program", "program_graph"]

#: What verify and simulate take: a network or a program, in memory or in a file.
Source = QuantGraph | Program | str | Path


def program_graph(program: Program) -> QuantGraph:
    """Return the network that a program was compiled from.

    Raises
    ------
    ProgramError
        The program does not hold it, or holds another one.
    """
    try:
        graph = graph_from_bytes(program.graph)
    except ModelError as error:
        raise ProgramError(f"the network in the program is damaged: {error.found}") from error
    if (graph.inputs, graph.outputs) != (program.inputs, program.outputs):
        raise ProgramError("the program and the network in it differ in inputs or outputs")
    return graph


def open_program(
    source: Source, config: Config | str | Path | None = None, progress: Progress | None = None
) -> tuple[Program, QuantGraph]:
    """Return a program and its network; a network is compiled first.

    Parameters
    ----------
    source : QuantGraph, Program, str or pathlib.Path
        A quantized network or a program.
    config : Config, str or pathlib.Path, optional
        The accelerator: needed for a network, checked for a program.

    Raises
    ------
    ModelError, ProgramError, ConfigError, CompileError, FlowError
        The file cannot be used, or no configuration says for what to compile it.
    """
    chosen = None if config is None else load_config(config)
    if isinstance(source, str | Path):
        source = load_program(source) if is_program(source) else from_onnx(source)
    if isinstance(source, QuantGraph):
        if chosen is None:
            raise FlowError("a network needs a configuration: give --config base, for example")
        return compile(source, chosen, progress=progress), source
    if chosen is not None and chosen.id != source.config.id:
        raise ConfigError(
            f"the program is for configuration {source.config.name} ({source.config.id:#010x}), "
            f"not for {chosen.name} ({chosen.id:#010x}): compile it again"
        )
    return source, program_graph(source)
