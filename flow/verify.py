"""The verb ``verify``: every integer of every layer, on every level."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.program import Program, Segment
from ..quant import golden
from ..quant.graph import QuantGraph
from ..sim.compare import assemble
from ..sim.cycle.compare import first_time_difference
from ..sim.cycle.engine import run_segment as cycles_of
from ..sim.result import Run
from .difference import Difference, compare_outputs, compare_tensors, compare_writes
from .engines import LEVELS, make_gates, make_runner
from .errors import FlowError
from .execute import Execution, Runner, execute
from .layers import Times, layer_times
from .networks import Source, open_program
from .progress import Progress, silent
from .simulate import encode_inputs
from .verify_report import write_report

__all__ = ["Verification", "verify"]

Array = NDArray[Any]
Tensors = dict[str, Array]

#: Samples that are verified if nobody says how many.
SAMPLES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Verification:
    """What verification found.

    Parameters
    ----------
    program, config : str
        Names.
    samples : int
        Samples compared; with a difference, those before it and its own.
    random : bool
        The samples are random codes, because none were given.
    difference : Difference or None
        The first; None if every integer is equal.
    time_difference : str or None
        The first piece of work that starts or completes in another cycle in the generated Verilog
        than in the cycle model; looked for where all integers are equal.
    hardware : str
        ``rtl`` for the generated Verilog, or the family and ``netlist`` for gates.
    integers : int
        Integers compared between the network and the program, per sample and level.
    tensors : int
        Feature maps that these integers make up.
    times : Times or None
        Where the cycles of one sample went.
    counters : dict
        The machine's counters for one sample.
    outputs : dict
        The network's outputs for the samples, as float values in the model's own layout.
    """

    program: str
    config: str
    samples: int
    random: bool
    difference: Difference | None
    time_difference: str | None = None
    hardware: str = "rtl"
    integers: int = 0
    tensors: int = 0
    times: Times | None = None
    counters: dict[str, int] = field(default_factory=dict)
    outputs: Tensors = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether every integer and every cycle is equal."""
        return self.difference is None and self.time_difference is None

    def verdict(self) -> str:
        """Return what was found, in a sentence."""
        kind = ("random sample" if self.random else "sample") + "s" * (self.samples != 1)
        if self.difference is not None:
            return f"not equal: {self.difference}"
        if self.time_difference is not None:
            return f"not equal: all integers are, but not time: {self.time_difference}"
        cycles = f"; {self.times.cycles:,} cycles, as the cycle model says" if self.times else ""
        hardware = "generated Verilog" if self.hardware == "rtl" else self.hardware
        return (
            f"equal: {self.integers:,} integers in {self.tensors} feature maps, the same in the "
            f"golden network, the program and the {hardware}; {self.samples} {kind}{cycles}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the outputs, for JSON."""
        names = ("program", "config", "samples", "random", "equal", "integers", "tensors")
        found = asdict(self.difference) if self.difference else None
        times = asdict(self.times) if self.times else None
        return {
            **{name: getattr(self, name) for name in names},
            "verdict": self.verdict(),
            "difference": found,
            "time_difference": self.time_difference,
            "counters": self.counters,
            "times": times,
        }


def verify(
    source: Source,
    config: Config | str | Path | None = None,
    inputs: Array | Mapping[str, Array] | str | Path | None = None,
    *,
    samples: int | None = None,
    report: str | Path | None = None,
    seed: int = 0,
    level: str = "rtl",
    family: str = "ecp5",
    progress: Progress | None = None,
) -> Verification:
    """Compare network, program and generated Verilog, integer for integer and cycle for cycle.

    For each sample the network runs in the golden model, layer by layer; the program runs by the
    definition of its instructions, and in the compiled Verilog. All feature maps that the
    machine's vector unit wrote must equal the network's, both programs' writes must be equal in
    their order, addresses and bytes, and so must the outputs in memory. Every piece of work must
    start and complete in the cycle that the cycle model says.

    Parameters
    ----------
    source : QuantGraph, Program, str or pathlib.Path
        A quantized network or a program, or the file of one.
    config : Config, str or pathlib.Path, optional
        The accelerator: needed for a network, checked for a program.
    inputs : array, mapping, str or pathlib.Path, optional
        Samples, as :func:`simulate` takes them; else random codes.
    samples : int, optional
        How many samples to compare; else all that are given, or two random ones.
    report : str or pathlib.Path, optional
        Folder to write a report to.
    seed : int
        Of random codes.
    level : str
        ``rtl`` compares with the generated Verilog, ``netlist`` with the gates that synthesis
        makes of it.
    family : str
        For ``netlist``: the chips that synthesis is for, ``ecp5`` or ``ice40``.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, ProgramError, ConfigError, CompileError, FlowError
        The files or options cannot be used.
    SimulationError, BuildError
        The machine stopped, or its simulator cannot be built.
    BoardError, ToolError
        No such family, or synthesis is not installed.
    """
    tell = progress or silent
    if level not in LEVELS:
        raise FlowError(f"no level {level}: use {' or '.join(LEVELS)}")
    program, graph = open_program(source, config, tell)
    if inputs is None:
        codes = _random_codes(graph, samples or SAMPLES, seed)
    else:
        codes = encode_inputs(graph, inputs, samples)
    runners = {"golden": make_runner("golden", program.config)}
    if level == "netlist":
        runners[f"{family} netlist"] = make_gates(family, program.config, tell)
    else:
        runners["rtl"] = make_runner("rtl", program.config, tell)
    result = _Comparison(program, graph, runners, tell).compare(codes, inputs is None)
    if report is not None:
        write_report(result.to_dict(), report)
    return result


def _random_codes(graph: QuantGraph, samples: int, seed: int) -> Tensors:
    """Return codes over the whole range of each input."""
    rng = np.random.default_rng(seed)
    codes: Tensors = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        shape = (samples, *tensor.shape)
        codes[name] = rng.integers(tensor.low, tensor.high, shape, np.int16, endpoint=True)
    return codes


class _Comparison:
    def __init__(
        self, program: Program, graph: QuantGraph, runners: Mapping[str, Runner], tell: Progress
    ) -> None:
        self.program, self.graph, self.runners, self.tell = program, graph, runners, tell
        self.modelled: dict[Segment, Run] = {}
        (self.hardware,) = runners.keys() - {"golden"}

    def compare(self, codes: Tensors, random: bool) -> Verification:
        """Compare sample by sample, up to the first difference."""
        count = len(next(iter(codes.values())))
        self.tell("running the network in the golden model", 0, count)
        network = golden.run(self.graph, codes, keep=True)
        for index in range(count):
            self.tell(f"comparing sample {index + 1} of {count}", index, count)
            expected = {name: values[index] for name, values in network.items()}
            runs = {name: self.execute(name, codes, index) for name in self.runners}
            difference = next(self.differences(expected, runs), None)
            if difference is not None:
                found = difference.at(index)
                return self.result(samples=index + 1, random=random, difference=found)
            if self.hardware == "rtl" and (late := self.time_difference(runs["rtl"])):
                facts = {"difference": None, "time_difference": late}
                return self.result(samples=index + 1, random=random, **facts)
        checked = self.assembled(runs[self.hardware])
        times = layer_times(self.program, runs[self.hardware].runs)
        return self.result(
            samples=count,
            random=random,
            difference=None,
            integers=sum(values.size for values in checked.values()),
            tensors=len(checked),
            times=times,
            counters=_total(runs[self.hardware]),
            outputs={
                name: golden.decode_output(self.graph, name, network[name])
                for name in self.graph.outputs
            },
        )

    def result(self, **values: Any) -> Verification:
        program, config = self.program.name, self.program.config.name
        return Verification(program=program, config=config, hardware=self.hardware, **values)

    def execute(self, engine: str, codes: Tensors, index: int) -> Execution:
        sample = {name: values[index] for name, values in codes.items()}
        return execute(self.program, self.graph, sample, self.runners[engine])

    def differences(self, expected: Tensors, runs: Mapping[str, Execution]) -> Iterator[Difference]:
        """Find differences, those that say most about their cause first."""
        by_definition, rtl = runs["golden"], runs[self.hardware]
        checks: list[Callable[[], Difference | None]] = [
            lambda: self.against_network(expected, by_definition, "golden program"),
            lambda: compare_writes(self.program, by_definition.runs, rtl.runs, self.graph.tensors),
            lambda: self.against_network(expected, rtl, self.hardware),
        ]
        return (found for check in checks if (found := check()) is not None)

    def time_difference(self, execution: Execution) -> str | None:
        """Return where the Verilog's time first differs from the model's."""
        for segment, run in zip(self.program.segments, execution.runs, strict=True):
            if segment not in self.modelled:
                self.modelled[segment] = cycles_of(self.program, segment)
            found = first_time_difference(self.program, segment, self.modelled[segment], run)
            if found is not None:
                return f"in the generated Verilog, {found}, as the cycle model says"
        return None

    def against_network(
        self, expected: Tensors, actual: Execution, level: str
    ) -> Difference | None:
        levels = ("golden network", level)
        found = compare_tensors(self.program, levels, expected, self.assembled(actual))
        return found or compare_outputs(self.program, levels, expected, actual.outputs)

    def assembled(self, execution: Execution) -> Tensors:
        """Return the network's feature maps, put together from what an engine wrote."""
        formats = {name: t.format for name, t in self.graph.tensors.items()}
        written = assemble(self.program, self.program.segments, execution.runs, formats)
        return execution.host | written


def _total(execution: Execution) -> dict[str, int]:
    names = execution.runs[0].counters if execution.runs else {}
    return {name: sum(run.counters[name] for run in execution.runs) for name in names}
