"""Time for an image: on the RTL engine, and of golden beside onnxruntime."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shiftloom.compiler.compile import compile_graph
from shiftloom.flow.execute import execute
from shiftloom.isa.config import Config
from shiftloom.quant.export import save_graph
from shiftloom.quant.golden import encode_input, run
from shiftloom.quant.graph import Conv, Node, QuantGraph
from shiftloom.sim.rtl_engine import Engine

from .command import BenchmarkError, changed_environment
from .subjects import Subject

__all__ = ["GoldenTime", "RtlTime", "golden_time", "narrowed", "rtl_time"]

_ROOT = Path(__file__).resolve().parents[1]

#: Runs of an image on the RTL engine; the shortest counts.
RUNS = 3


@dataclass(frozen=True, kw_only=True)
class RtlTime:
    """An image on the RTL engine.

    Parameters
    ----------
    network : str
        Which.
    cycles : int
        From start to done.
    seconds : float
        All that one image takes once the engine is built, memory and records included.
    """

    network: str
    cycles: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class GoldenTime:
    """An image in the golden model and in onnxruntime, one thread each.

    Parameters
    ----------
    network : str
        Which.
    images : int
        How many ran; in one call where the model takes any batch, else one by one in onnxruntime.
    exact, fused : int
        On how many of them onnxruntime's outputs equal golden's: without graph optimization, and
        with the int8 kernels that are timed.
    golden_seconds, onnx_seconds : float
        CPU time of an image.
    """

    network: str
    images: int
    exact: int
    fused: int
    golden_seconds: float
    onnx_seconds: float

    @property
    def ratio(self) -> float:
        """How many times slower golden is."""
        return self.golden_seconds / self.onnx_seconds


def rtl_time(name: str, subject: Subject, config: Config, engine: Engine) -> RtlTime:
    """Time one image on the RTL engine.

    Raises
    ------
    BenchmarkError
        The outputs differ from golden's.
    """
    graph, program = subject.graph, compile_graph(subject.graph, config)
    (source,) = graph.inputs
    codes = encode_input(graph, source, subject.inputs[:1])
    want, seconds = run(graph, {source: codes}), []
    for _ in range(RUNS):
        start = time.perf_counter()
        found = execute(program, graph, {source: codes[0]}, engine.run_segment)
        seconds.append(time.perf_counter() - start)
        if any(not np.array_equal(found.outputs[n], want[n][0]) for n in graph.outputs):
            raise BenchmarkError(f"{name}: the RTL engine and golden differ")
    cycles = sum(part.cycles or 0 for part in found.runs)
    return RtlTime(network=name, cycles=cycles, seconds=min(seconds))


def narrowed(graph: QuantGraph) -> QuantGraph:
    """Return a network whose codes of 16 bits saturate to 8: int8 kernels have no others.

    Convolutions hand such codes to additions. The work is the same; the accuracy is not.
    """
    wide = {name for name, tensor in graph.tensors.items() if tensor.bits > 8}

    def narrow(node: Node) -> Node:
        if node.output not in wide or not isinstance(node, Conv):
            return node
        low, high = max(node.requantize.out_low, -128), min(node.requantize.out_high, 127)
        return replace(node, requantize=replace(node.requantize, out_low=low, out_high=high))

    tensors = {name: replace(t, bits=min(t.bits, 8)) for name, t in graph.tensors.items()}
    return replace(graph, tensors=tensors, nodes=tuple(narrow(node) for node in graph.nodes))


def golden_time(name: str, subject: Subject, folder: Path) -> GoldenTime:
    """Time golden and onnxruntime in a process that has one thread for BLAS.

    Both run the network with codes of at most 8 bits, see :func:`narrowed`.

    Raises
    ------
    BenchmarkError
        The outputs of onnxruntime without optimization differ from golden's.
    """
    model, inputs = folder / f"{name}.q.onnx", folder / f"{name}.npy"
    save_graph(narrowed(subject.graph), model)
    np.save(inputs, subject.inputs)
    command = [sys.executable, "-m", "benchmarks.golden_speed", str(model), str(inputs)]
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    with changed_environment(threads):
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"benchmarks.golden_speed failed:\n{done.stderr.strip()[-2000:]}")
    found = GoldenTime(network=name, **json.loads(done.stdout))
    if found.exact != found.images:
        raise BenchmarkError(
            f"{name}: onnxruntime and golden are equal on {found.exact} of {found.images} images"
        )
    return found
