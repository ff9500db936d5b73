"""The verb ``run``: samples on a board, compared with the golden model."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..boards.host import Port
from ..isa.program import Program, load_program
from ..quant import golden
from .board_engine import BoardEngine
from .difference import Difference, compare_outputs
from .errors import FlowError
from .execute import Execution, execute
from .networks import program_graph
from .progress import Progress, silent
from .simulate import Simulation, collect, encode_inputs, write_arrays

__all__ = ["BoardRun", "run"]

Array = NDArray[Any]

#: Seconds after which a byte that does not come counts as lost.
_TIMEOUT = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardRun:
    """What a board made of samples.

    Parameters
    ----------
    result : Simulation
        Outputs, cycles and counters; with a difference, of the samples before it and its own.
    difference : Difference or None
        The first output that differs from the golden model; None if every integer is equal.
    integers : int
        Integers of outputs compared.
    clock_hz : int
        The machine's clock.
    repeated : int
        Requests on the line that had to be sent again.
    seconds : float
        Wall time of all samples, transfers included.
    """

    result: Simulation
    difference: Difference | None
    integers: int
    clock_hz: int
    repeated: int
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether every integer is equal."""
        return self.difference is None

    @property
    def samples_per_second(self) -> float:
        """What the machine alone would reach, without transfers."""
        return self.clock_hz * self.result.samples / max(1, self.result.cycles or 0)

    def verdict(self) -> str:
        """Return what was found, in a sentence."""
        if self.difference is not None:
            return f"not equal: {self.difference}"
        count = self.result.samples
        return (
            f"equal: {self.integers:,} integers of the outputs of {count} "
            f"sample{'s' * (count != 1)}, the same on the board and in the golden network"
        )


def run(
    program: Program | str | Path,
    inputs: Array | Mapping[str, Array] | str | Path,
    port: str | Port,
    output: str | Path | None = None,
    *,
    baud: int = 1_000_000,
    samples: int | None = None,
    progress: Progress | None = None,
) -> BoardRun:
    """Run a program on a board, and compare its outputs with the golden model's.

    Parameters
    ----------
    program : Program, str or pathlib.Path
        A program or its file.
    inputs : array, mapping, str or pathlib.Path
        Samples, as :func:`simulate` takes them.
    port : str or Port
        Name of a serial port, or an object with ``write`` and ``read``.
    output : str or pathlib.Path, optional
        File for the outputs: ``.npz`` with one array for each output.
    baud : int
        Bits per second on the line.
    samples : int, optional
        How many samples to run; all if not given.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, ProgramError, FlowError
        The files or options cannot be used.
    LinkError
        No board answers.
    SimulationError
        The machine stopped.
    """
    tell = progress or silent
    chosen = program if isinstance(program, Program) else load_program(program)
    graph = program_graph(chosen)
    codes = encode_inputs(graph, inputs, samples)
    engine = BoardEngine(open_port(port, baud) if isinstance(port, str) else port)
    tell("running the network in the golden model", 0, 0)
    expected, start = golden.run(graph, codes), time.monotonic()
    found: list[Execution] = []
    difference = None
    count = len(next(iter(codes.values())))
    while len(found) < count and difference is None:
        index = len(found)
        tell(f"running sample {index + 1} of {count}", index, count)
        sample = {name: values[index] for name, values in codes.items()}
        found.append(execute(chosen, graph, sample, engine.run_segment))
        wanted = {name: expected[name][index] for name in chosen.outputs}
        levels = ("golden network", "board")
        difference = compare_outputs(chosen, levels, wanted, found[-1].outputs)
    result = collect(graph, "board", found)
    if output is not None:
        write_arrays(output, result.outputs)
    return BoardRun(
        result=result,
        difference=difference.at(len(found) - 1) if difference else None,
        integers=sum(values.size for each in found for values in each.outputs.values()),
        clock_hz=engine.clock_hz,
        repeated=engine.host.repeated,
        seconds=time.monotonic() - start,
    )


def open_port(name: str, baud: int) -> Port:
    """Return a serial port.

    Raises
    ------
    FlowError
        There is none of this name, or the package for serial ports is not installed.
    """
    try:
        import serial
    except ImportError as error:
        raise FlowError(
            'serial ports need the Python package pyserial: pip install "shiftloom[boards]"'
        ) from error
    try:
        port: Port = serial.Serial(name, baud, timeout=_TIMEOUT)
    except (serial.SerialException, ValueError) as error:
        raise FlowError(f"{name} cannot be opened as a serial port: {error}") from error
    return port
