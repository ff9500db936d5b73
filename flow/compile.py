"""The verb ``compile``: a quantized network becomes a program for one accelerator."""

import warnings
from math import prod
from pathlib import Path

from ..compiler.compile import compile_graph
from ..compiler.tuning import Tuning
from ..compiler.tuning import search as search_tuning
from ..isa.config import Config, load_config
from ..isa.program import Program
from ..quant.export import from_onnx
from ..quant.graph import Host, QuantGraph
from ..sim.cycle.engine import run_segment
from .errors import HostWarning
from .files import write_file, write_files
from .progress import Progress, silent

__all__ = ["compile"]


def compile(
    network: QuantGraph | str | Path,
    config: Config | str | Path = "base",
    output: str | Path | None = None,
    *,
    dump: str | Path | None = None,
    search: bool = False,
    progress: Progress | None = None,
) -> Program:
    """Return the program of a network, and write it if a file is given.

    Parameters
    ----------
    network : QuantGraph, str or pathlib.Path
        A network that :func:`quantize` made, or its file.
    config : Config, str or pathlib.Path
        The accelerator: a configuration, the name of one, or a TOML file.
    output : str or pathlib.Path, optional
        File to write.
    dump : str or pathlib.Path, optional
        Folder for a readable listing of each stage.
    search : bool
        Compile several times, and keep the program that takes the fewest cycles by the cycle model.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, ConfigError, CompileError
        The network or the configuration cannot be used, or they do not fit each other.

    Warns
    -----
    HostWarning
        A node that the machine lacks runs on the host; with its share of the network's values.
    """
    report, chosen = progress or silent, load_config(config)
    graph = network if isinstance(network, QuantGraph) else from_onnx(network)
    _warn_of_host(graph)
    listings: dict[str, str] = {}
    try:
        if search:
            program = _search(graph, chosen, listings, report)
        else:
            program = compile_graph(
                graph,
                chosen,
                dump=listings.__setitem__,
                progress=lambda done, total: report(f"compiling for {chosen.name}", done, total),
            )
    finally:  # the stages before an error are what helps to understand it
        if dump is not None:
            names = (f"{n:02}-{name}.txt" for n, name in enumerate(listings, start=1))
            write_files(dump, dict(zip(names, listings.values(), strict=True)))
    if output is not None:
        write_file(output, program.to_bytes())
    return program


def _search(
    graph: QuantGraph, config: Config, listings: dict[str, str], report: Progress
) -> Program:
    """Return the fastest of several programs, and keep its listings."""
    made: list[tuple[Program, dict[str, str]]] = []

    def make(tuning: Tuning) -> Program:
        found: dict[str, str] = {}
        try:
            program = compile_graph(graph, config, dump=found.__setitem__, tuning=tuning)
        finally:
            listings.update(found)
        made.append((program, found))
        return program

    def cycles(program: Program) -> int:
        return sum(run_segment(program, segment).counters["CYCLES"] for segment in program.segments)

    told = f"searching schedules for {config.name}"
    best = search_tuning(make, cycles, lambda done, total: report(told, done, total))
    listings.update(next(found for program, found in made if program is best))
    return best


def _warn_of_host(graph: QuantGraph) -> None:
    """Name what runs on the host, and how many of the network's values it makes."""
    sizes = {name: prod(tensor.shape) for name, tensor in graph.tensors.items()}
    for node in graph.nodes:  # what the host keeps as floats is about as large as its input
        sizes.setdefault(node.output, max(sizes[name] for name in node.inputs))
    total = sum(sizes[node.output] for node in graph.nodes)
    for node in graph.nodes:
        if isinstance(node, Host):
            share = sizes[node.output] / total
            message = f"{node.name} ({node.op}) runs on the host: {node.reason}"
            warnings.warn(
                f"{message}; it makes {share:.2%} of the network's values",
                HostWarning,
                stacklevel=3,
            )
