"""What the cycle model says of a whole network: work, time, traffic, and what bounds them."""

import time
from dataclasses import dataclass

from shiftloom.isa.config import INSTRUCTION_BYTES
from shiftloom.isa.program import Program
from shiftloom.sim.cycle.engine import run_segment

__all__ = ["ModelCount", "count_program"]


@dataclass(frozen=True, kw_only=True)
class ModelCount:
    """A whole network, from start to done, one image.

    Parameters
    ----------
    name, config : str
        What on what.
    macs : int
        Multiply-accumulates of all layers.
    cycles : int
        All of them, by the cycle model; those of the host's work are not counted.
    mac_cycles, vector_cycles : int
        Cycles in which the array and the vector unit took operands.
    moved_bytes : int
        Bus beats in bytes, instructions included.
    least_bytes : int
        Weights, parameters, inputs and outputs, each once.
    instruction_bytes, weight_bytes : int
        Sizes of the program's code, and of its weights and parameters.
    compute_bound, bytes_bound : int
        Cycles that the array alone and the bus alone need at least.
    array_utilization, multiplier_utilization : float
        ``macs`` by what the array, and by what all multipliers, could do in these cycles.
    compile_seconds, model_seconds : float
        Processor time of the compiler and of the cycle model.
    """

    name: str
    config: str
    macs: int
    cycles: int
    mac_cycles: int
    vector_cycles: int
    moved_bytes: int
    least_bytes: int
    instruction_bytes: int
    weight_bytes: int
    compute_bound: int
    bytes_bound: int
    array_utilization: float
    multiplier_utilization: float
    compile_seconds: float
    model_seconds: float

    @property
    def bound(self) -> int:
        """The larger bound."""
        return max(self.compute_bound, self.bytes_bound)


def count_program(name: str, program: Program, compile_seconds: float) -> ModelCount:
    """Run a program on the cycle model: 32 cycles of latency, one beat per cycle."""
    config, started = program.config, time.process_time()
    runs = [run_segment(program, segment) for segment in program.segments]
    model_seconds = time.process_time() - started
    total = {key: sum(run.counters[key] for run in runs) for key in runs[0].counters}
    macs, cycles = sum(layer.macs for layer in program.layers), total["CYCLES"]
    constants, inputs, outputs, _ = program.region_bytes
    least = constants + inputs + outputs
    multipliers = config.columns * (config.rows + config.vector_taps)
    return ModelCount(
        name=name,
        config=config.name,
        macs=macs,
        cycles=cycles,
        mac_cycles=total["MAC_CYCLES"],
        vector_cycles=total["VECTOR_CYCLES"],
        moved_bytes=config.bus_bytes * (total["READ_BEATS"] + total["WRITE_BEATS"]),
        least_bytes=least,
        instruction_bytes=INSTRUCTION_BYTES * len(program.layer_of),
        weight_bytes=constants,
        compute_bound=-(-macs // config.macs_per_cycle),
        bytes_bound=-(-least // config.bus_bytes),
        array_utilization=macs / (config.macs_per_cycle * cycles),
        multiplier_utilization=macs / (multipliers * cycles),
        compile_seconds=compile_seconds,
        model_seconds=model_seconds,
    )
