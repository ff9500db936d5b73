"""The verb ``simulate``: samples through a program, on an engine."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..isa.program import Program, load_program
from ..quant.errors import ModelError
from ..quant.golden import decode_output, encode_input
from ..quant.graph import QuantGraph
from ..sim.chrome_trace import chrome_trace
from ..sim.cycle.memory import Memory
from ..sim.result import Run
from .engines import make_runner
from .errors import FlowError
from .execute import Execution, Runner, execute
from .files import write_file
from .networks import program_graph
from .predict import predict
from .progress import Progress, silent
from .samples import read_samples

__all__ = ["Simulation", "array_file", "collect", "encode_inputs", "simulate", "write_arrays"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """What a program made of samples.

    Parameters
    ----------
    engine : str
        Which engine ran it.
    outputs : dict
        By output float values in the model's own layout, batch first.
    cycles : int or None
        Of all samples together; None where time is unknown.
    counters : dict
        The machine's counters, added up.
    runs : tuple of Run
        Of the first sample, one for each segment: with every instruction's start and end where
        time is known.
    """

    engine: str
    outputs: dict[str, NDArray[np.float32]]
    cycles: int | None
    counters: dict[str, int]
    runs: tuple[Run, ...]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(self.outputs.values())))


def simulate(
    program: Program | str | Path,
    inputs: Array | Mapping[str, Array] | str | Path,
    engine: str = "golden",
    output: str | Path | None = None,
    *,
    samples: int | None = None,
    memory: Memory | None = None,
    trace: str | Path | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Return the outputs of a program for samples, and write them if a file is given.

    Parameters
    ----------
    program : Program, str or pathlib.Path
        A program or its file.
    inputs : array, mapping, str or pathlib.Path
        Samples in the model's own input layout, batch first; by input name where there are
        several; or an ``.npy`` or ``.npz`` file of them.
    engine : str
        ``golden`` (values, from the program's instructions), ``cycle`` (values from the program's
        network, cycles from the cycle model) or ``rtl`` (both from the generated Verilog).
    output : str or pathlib.Path, optional
        ``.npz`` file to write the outputs to.
    samples : int, optional
        How many of the samples to run; else all.
    memory : Memory, optional
        External memory, for ``cycle`` and ``rtl``.
    trace : str or pathlib.Path, optional
        File for a timeline of the first sample, which Perfetto opens.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ProgramError, ModelError, FlowError
        The program or the samples cannot be used, or the engine cannot do what is asked for.
    SimulationError
        The machine stopped.
    """
    if trace is not None and engine == "golden":
        raise FlowError("the golden engine knows no time: a trace is made by cycle or rtl")
    report = progress or silent
    loaded = program if isinstance(program, Program) else load_program(program)
    graph = program_graph(loaded)
    codes = encode_inputs(graph, inputs, samples)
    if engine == "cycle":
        report("finding values and cycles", 0, 0)
        executions = predict(loaded, graph, codes, memory)
    else:
        runner = make_runner(engine, loaded.config, report, memory)
        executions = list(_executed(loaded, graph, codes, runner, report))
    result = collect(graph, engine, executions)
    if output is not None:
        write_arrays(output, result.outputs)
    if trace is not None:
        write_file(trace, json.dumps(chrome_trace(loaded, result.runs), separators=(",", ":")))
    return result


def _executed(
    program: Program,
    graph: QuantGraph,
    codes: Mapping[str, Array],
    runner: Runner,
    report: Progress,
) -> Iterator[Execution]:
    """Yield what the program makes of each sample."""
    count = len(next(iter(codes.values())))
    for index in range(count):
        report(f"running sample {index + 1} of {count}", index, count)
        sample = {name: values[index] for name, values in codes.items()}
        yield execute(program, graph, sample, runner)


def encode_inputs(
    graph: QuantGraph,
    inputs: Array | Mapping[str, Array] | str | Path,
    samples: int | None = None,
) -> dict[str, Array]:
    """Return the first samples as codes ``(samples, channels, height, width)``.

    Raises
    ------
    ModelError, FlowError
        Samples that are missing, or do not fit the model.
    """
    if isinstance(inputs, str | Path):
        inputs = read_samples(inputs, graph.inputs)
    elif not isinstance(inputs, Mapping):
        inputs = {graph.inputs[0]: np.asarray(inputs)}
    missing = [name for name in graph.inputs if name not in inputs]
    if missing:
        raise ModelError("SL-Q111", "no samples for this input", node=missing[0])
    return {name: encode_input(graph, name, inputs[name][:samples]) for name in graph.inputs}


def collect(graph: QuantGraph, engine: str, executions: list[Execution]) -> Simulation:
    """Return what an engine made of samples, put together."""
    outputs = {}
    for name in graph.outputs:
        results = np.stack([execution.outputs[name] for execution in executions])
        outputs[name] = decode_output(graph, name, results)
    runs = [run for execution in executions for run in execution.runs]
    counters: Counter[str] = Counter()
    for run in runs:
        counters.update(run.counters)
    known = [run.cycles for run in runs if run.cycles is not None]
    cycles = sum(known) if len(known) == len(runs) else None
    return Simulation(
        engine=engine,
        outputs=outputs,
        cycles=cycles,
        counters=dict(counters),
        runs=executions[0].runs,
    )


def write_arrays(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to an ``.npz`` file."""
    write_file(path, array_file(arrays))


def array_file(arrays: Mapping[str, Array]) -> bytes:
    """Return what an ``.npz`` file of arrays holds; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()
