"""Engines by name: what runs a program's segments."""

import hashlib
from dataclasses import asdict
from functools import partial
from importlib import metadata, resources

from ..isa.config import Config
from ..sim import golden
from ..sim.cycle.memory import Memory
from ..sim.rtl_build import GATES
from ..sim.rtl_engine import build_engine
from .cache import keep_text, kept_text
from .errors import FlowError
from .execute import Runner
from .progress import Progress, silent

__all__ = ["ENGINES", "LEVELS", "make_gates", "make_runner", "simulation_text"]

#: What ``--engine`` takes; ``cycle`` runs no program (:mod:`.predict`).
ENGINES = ("golden", "cycle", "rtl")

#: What ``--level`` takes: the generated Verilog, or what synthesis for a family made of it.
LEVELS = ("rtl", "netlist")


def make_runner(
    engine: str,
    config: Config,
    progress: Progress | None = None,
    memory: Memory | None = None,
) -> Runner:
    """Return an engine that runs programs of a configuration; ``rtl`` is built on first use.

    Parameters
    ----------
    engine : str
        ``golden`` or ``rtl``.
    config : Config
        The accelerator.
    progress : callable, optional
        Told what is being done.
    memory : Memory, optional
        External memory, for engines that know time.

    Raises
    ------
    FlowError
        No such engine, or a memory for one that knows no time.
    BuildError
        The RTL engine cannot be built.
    """
    if engine not in ENGINES:
        raise FlowError(f"no engine {engine}: use {' or '.join(ENGINES)}")
    if engine == "golden":
        if memory is not None:
            raise FlowError("the golden engine knows no time: memory settings are for cycle or rtl")
        return golden.run_segment
    if engine == "cycle":
        raise FlowError("the cycle engine runs no program: its values are the network's")
    return _rtl_runner(config, progress or silent, memory or Memory())


def _rtl_runner(config: Config, report: Progress, memory: Memory) -> Runner:
    def tell(what: str, share: float) -> None:
        report(f"building the simulator of {config.name}: {what}", round(100 * share), 100)

    engine = build_engine(simulation_text(config, report), progress=tell)
    return partial(engine.run_segment, **asdict(memory))


def make_gates(family: str, config: Config, progress: Progress | None = None) -> Runner:
    """Return the engine that runs programs on gates: the netlist for a family of chips.

    Raises
    ------
    BoardError
        No such family.
    ToolError, BuildError
        Synthesis or the compiler is not installed, or failed.
    """
    from ..boards.gates import netlist_verilog

    report = progress or silent

    def tell(what: str, share: float) -> None:
        report(f"building the simulator of {config.name}'s gates: {what}", round(100 * share), 100)

    text = netlist_verilog(config, family, report)
    return build_engine(text, bench=GATES, progress=tell).run_segment


def simulation_text(config: Config, progress: Progress = silent) -> str:
    """Return a configuration's Verilog for simulation; it is kept, for it takes seconds to make.

    The key covers the sources of the generator, so that a changed generator is never ignored.
    """
    name = f"verilog/{_key(config)}.v"
    text = kept_text(name)
    if text is None:
        from ..hw.verilog import simulation_verilog

        progress(f"generating Verilog of {config.name}", 0, 0)
        text = simulation_verilog(config)
        keep_text(name, text)
    return text


def _key(config: Config) -> str:
    """Return a key of everything that the Verilog depends on."""
    digest = hashlib.sha256(f"{config.id} {metadata.version('amaranth')}".encode())
    for package in ("hw", "isa"):
        folder = resources.files(f"{(__package__ or '').rpartition('.')[0]}.{package}")
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:32]
