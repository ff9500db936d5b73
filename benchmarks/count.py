"""What a program did on the RTL engine: work, time and traffic, by layer and in all."""

from collections.abc import Mapping
from dataclasses import dataclass

from shiftloom.flow.layers import Times
from shiftloom.flow.progress import Progress, silent
from shiftloom.flow.verify import verify
from shiftloom.isa.config import INSTRUCTION_BYTES, Config
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.program import Layer, Program

from .command import BenchmarkError
from .subjects import Array

__all__ = ["LayerCount", "NetworkCount", "count_network", "count_run"]


@dataclass(frozen=True, kw_only=True)
class LayerCount:
    """One layer.

    Parameters
    ----------
    name, engine : str
        As in the program's layer table.
    macs : int
        Multiply-accumulates of its definition.
    cycles : int
        Cycles that belong to it, see :func:`shiftloom.flow.layers.layer_times`.
    utilization : float or None
        Multiply-accumulates by what the array could do in these cycles; None off the array.
    read_bytes, written_bytes : int
        Bus beats of its transfers, in bytes; weights count where they are used.
    instruction_bytes : int
        Size of its instructions.
    """

    name: str
    engine: str
    macs: int
    cycles: int
    utilization: float | None
    read_bytes: int
    written_bytes: int
    instruction_bytes: int


@dataclass(frozen=True, kw_only=True)
class NetworkCount:
    """A whole network, from start to done.

    Parameters
    ----------
    name, config : str
        What ran on what.
    integers : int
        Integers of its layers that equal the golden model's.
    layers : tuple of LayerCount
        In order, and last what belongs to no layer.
    cycles : int
        All of them: fetching instructions, filling buffers, storing results.
    mac_cycles, vector_cycles : int
        Cycles in which the array and the vector unit took operands.
    macs, array_macs : int
        Multiply-accumulates of all layers, and of those on the array.
    read_bytes, written_bytes, instruction_bytes : int
        Bus beats in bytes, from the machine's counters; read bytes are without instructions.
    array_utilization : float
        ``array_macs / (rows * columns * cycles)``.
    network_utilization : float
        ``macs / (rows * columns * cycles)``.
    multiplier_utilization : float
        ``macs / (columns * (rows + vector_taps) * cycles)``: by all multipliers there are.
    """

    name: str
    config: str
    integers: int
    layers: tuple[LayerCount, ...]
    cycles: int
    mac_cycles: int
    vector_cycles: int
    macs: int
    array_macs: int
    read_bytes: int
    written_bytes: int
    instruction_bytes: int
    array_utilization: float
    network_utilization: float
    multiplier_utilization: float


def count_network(
    name: str, program: Program, inputs: Array, progress: Progress = silent
) -> NetworkCount:
    """Run one sample on the RTL engine: 32 cycles of latency, one beat per cycle.

    Raises
    ------
    BenchmarkError
        An integer differs from the golden model's.
    """
    found = verify(program, inputs=inputs, samples=1, progress=progress)
    if not found.equal or found.times is None:
        raise BenchmarkError(f"{name}: {found.verdict()}")
    return count_run(name, program, found.times, found.counters, found.integers)


def count_run(
    name: str, program: Program, times: Times, counters: Mapping[str, int], integers: int
) -> NetworkCount:
    """Return the count of a run from its times and the machine's counters.

    Raises
    ------
    BenchmarkError
        The counters and the sums over instructions differ.
    """
    config, bus = program.config, program.config.bus_bytes
    rows = [_Row() for _ in range(len(program.layers) + 1)]
    for instruction, layer in zip(program.instructions, program.layer_of.tolist(), strict=True):
        rows[layer].add(instruction, config)  # -1 is the last row
    names = ("READ_BEATS", "WRITE_BEATS", "FETCH_BEATS", "CYCLES", "MAC_CYCLES", "VECTOR_CYCLES")
    read, written, fetched, cycles, mac_cycles, vector_cycles = (counters[n] for n in names)
    _check("beats read", sum(row.read for row in rows), read - fetched)
    _check("beats written", sum(row.written for row in rows), written)
    _check("cycles", sum(layer.cycles for layer in times.layers) + times.rest, cycles)
    macs = sum(layer.macs for layer in program.layers)
    array_macs = sum(layer.macs for layer in program.layers if layer.engine == "array")
    multipliers = config.columns * (config.rows + config.vector_taps)
    return NetworkCount(
        name=name,
        config=config.name,
        integers=integers,
        layers=_layers(program, times, rows),
        cycles=cycles,
        mac_cycles=mac_cycles,
        vector_cycles=vector_cycles,
        macs=macs,
        array_macs=array_macs,
        read_bytes=bus * (read - fetched),
        written_bytes=bus * written,
        instruction_bytes=bus * fetched,
        array_utilization=array_macs / (config.macs_per_cycle * cycles),
        network_utilization=macs / (config.macs_per_cycle * cycles),
        multiplier_utilization=macs / (multipliers * cycles),
    )


@dataclass
class _Row:
    """What the instructions of one layer move, in bus beats."""

    instructions: int = 0
    read: int = 0
    written: int = 0

    def add(self, instruction: Instruction, config: Config) -> None:
        self.instructions += 1
        if instruction.opcode is Opcode.LOAD:
            self.read += _beats(instruction, config)
        elif instruction.opcode is Opcode.STORE:
            self.written += _beats(instruction, config)


def _beats(transfer: Instruction, config: Config) -> int:
    """Return the bus beats of a transfer: every run begins with a beat of its own."""
    run_bytes = transfer["words"] * config.word_bytes
    return transfer["runs"] * -(-run_bytes // config.bus_bytes)


def _check(what: str, summed: int, counted: int) -> None:
    if summed != counted:
        raise BenchmarkError(f"{what}: the layers have {summed:,}, the machine counts {counted:,}")


def _layers(program: Program, times: Times, rows: list[_Row]) -> tuple[LayerCount, ...]:
    rest = Layer(name="(no layer)", operator="", engine="", output="", macs=0)
    cycles = [layer.cycles for layer in times.layers] + [times.rest]
    table = zip((*program.layers, rest), cycles, rows, strict=True)
    return tuple(_layer(layer, count, row, program.config) for layer, count, row in table)


def _layer(layer: Layer, cycles: int, row: _Row, config: Config) -> LayerCount:
    on_array = layer.engine == "array" and cycles > 0
    return LayerCount(
        name=layer.name,
        engine=layer.engine,
        macs=layer.macs,
        cycles=cycles,
        utilization=layer.macs / (config.macs_per_cycle * cycles) if on_array else None,
        read_bytes=row.read * config.bus_bytes,
        written_bytes=row.written * config.bus_bytes,
        instruction_bytes=row.instructions * INSTRUCTION_BYTES,
    )
