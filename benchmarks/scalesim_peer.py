"""SCALE-Sim itself on a few small layers, beside the closed form of what it reports."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command import BenchmarkError
from .topologies import Layer

__all__ = ["DATAFLOWS", "PeerRun", "run_peer", "smallest"]

#: Weight stationary and output stationary.
DATAFLOWS = ("ws", "os")

_SCRIPT = Path(__file__).with_name("scalesim_run.py")


@dataclass(frozen=True, kw_only=True)
class PeerRun:
    """Layers that SCALE-Sim ran, all with the cycles of the closed form.

    Parameters
    ----------
    version : str
        Of the package.
    dataflow : str
        One of ``DATAFLOWS``.
    layers : tuple of str
        Names.
    cycles : int
        Of all of them.
    seconds : float
        Processor time, without starting it.
    peak_bytes : int
        Most memory that the process ever held.
    """

    version: str
    dataflow: str
    layers: tuple[str, ...]
    cycles: int
    seconds: float
    peak_bytes: int

    @property
    def cycles_per_second(self) -> float:
        """Simulated cycles in a second of processor time."""
        return self.cycles / self.seconds


def run_peer(python: Path, layers: Sequence[Layer], dataflow: str, size: int) -> PeerRun:
    """Run layers with a Python that has the package ``scalesim``.

    Parameters
    ----------
    python : Path
        The interpreter. SCALE-Sim 3.0.0 needs a NumPy below 2, which this project does not take.
    layers : sequence of Layer
        What to run; about 10,000 cycles take a second.
    dataflow : str
        One of ``DATAFLOWS``.
    size : int
        Rows and columns of the array.

    Raises
    ------
    BenchmarkError
        It cannot be run, or reports other cycles than the closed form.
    """
    request = {"layers": [_entry(layer) for layer in layers], "size": size, "dataflow": dataflow}
    answer = _ask(python, json.dumps(request))
    for layer, reported in zip(layers, answer["cycles"], strict=True):
        if reported != (expected := layer.cycles(dataflow, size)):
            text = f"SCALE-Sim reports {reported:,} cycles, the closed form {expected:,}"
            raise BenchmarkError(f"{layer.name}, {dataflow}: {text}")
    return PeerRun(
        version=answer["version"],
        dataflow=dataflow,
        layers=tuple(layer.name for layer in layers),
        cycles=sum(answer["cycles"]),
        seconds=answer["seconds"],
        peak_bytes=answer["peak_bytes"],
    )


def _entry(layer: Layer) -> list[str | int]:
    sizes = (layer.height, layer.width, *layer.kernel, layer.channels, layer.filters)
    return [layer.name, *sizes, layer.stride]


def _ask(python: Path, request: str) -> dict[str, Any]:
    command = [str(python), "-I", str(_SCRIPT)]
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchmarkError(f"{python} cannot be run: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BenchmarkError(f"{python} does not run SCALE-Sim: {last}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def smallest(layers: Iterable[Layer], count: int, size: int) -> list[Layer]:
    """Return the layers of different shapes that SCALE-Sim counts the fewest cycles for."""
    found = {tuple(_entry(layer)[1:]): layer for layer in layers}
    chosen = sorted(found.values(), key=lambda layer: sum(layer.cycles(d, size) for d in DATAFLOWS))
    return chosen[:count]
