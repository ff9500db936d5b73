"""What the cycle model costs for one program, in a process of its own.

``python -m benchmarks.model_cost PROGRAM LATENCY`` prints JSON.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from shiftloom.isa.program import Program, load_program
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory

from .command import BenchmarkError
from .peak import peak_bytes

__all__ = ["ModelCost", "measure_model"]

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """Cycles of a program, and what it cost to find them.

    Parameters
    ----------
    cycles : int
        Of all segments.
    seconds, wall_seconds : float
        Processor time and wall time of the model, after the program was read.
    peak_bytes : int
        Most memory that the process ever held: interpreter and program included.
    """

    cycles: int
    seconds: float
    wall_seconds: float
    peak_bytes: int


def measure_model(program: Program, memory: Memory) -> ModelCost:
    """Run the cycle model once in a fresh process.

    Raises
    ------
    BenchmarkError
        The process failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.slp"
        program.save(path)
        command = [sys.executable, "-m", __name__, str(path), str(memory.latency)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the cycle model failed: {done.stderr.strip()}")
    return ModelCost(**json.loads(done.stdout))


def _main() -> None:
    program, memory = load_program(sys.argv[1]), Memory(latency=int(sys.argv[2]))
    wall, started = time.perf_counter(), time.process_time()
    runs = [run_segment(program, segment, memory=memory) for segment in program.segments]
    seconds, wall_seconds = time.process_time() - started, time.perf_counter() - wall
    found = {
        "cycles": sum(found.counters["CYCLES"] for found in runs),
        "seconds": seconds,
        "wall_seconds": wall_seconds,
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _main()
