"""The verb ``explore``: cycles and size of configurations, and which of them are worth having."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from math import exp, log
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..isa.config import Config, load_config
from ..quant.blob import graph_to_bytes
from ..quant.export import from_onnx
from ..quant.graph import QuantGraph
from ..sim.cycle.memory import Memory
from .errors import FlowError
from .luts import lut_model
from .points import Point, Task, append_point, evaluate, read_points
from .progress import Progress, silent
from .sweep import swept

__all__ = ["Candidate", "Exploration", "explore", "pareto"]

#: Name of the file of points in the output folder.
POINTS = "points.jsonl"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration and what it costs and gives.

    Parameters
    ----------
    config : Config
        The accelerator.
    cycles : dict
        By network.
    mean_cycles : float
        Geometric mean over the networks.
    utilization : dict
        Array utilization by network.
    dsps : int
        One for each multiplier: no two products share a DSP.
    luts : int
        Estimate, see :mod:`~shiftloom.flow.luts`.
    memory_bits : int
        Of all on-chip memories.
    best : bool
        No other has fewer cycles, DSPs, LUTs and memory bits, or as few and fewer of one.
    """

    config: Config
    cycles: Mapping[str, int]
    mean_cycles: float
    utilization: Mapping[str, float]
    dsps: int
    luts: int
    memory_bits: int
    best: bool = False

    @property
    def costs(self) -> tuple[float, ...]:
        """What should be small."""
        return (self.mean_cycles, self.dsps, self.luts, self.memory_bits)


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """What an exploration found.

    Parameters
    ----------
    candidates : tuple of Candidate
        Those on which all networks run, the fastest first.
    failed : dict
        By configuration why a network does not run on it, or why it cannot be built.
    computed : int
        Points that were not known before.
    memory : Memory
        External memory.
    """

    candidates: tuple[Candidate, ...]
    failed: Mapping[str, str]
    computed: int
    memory: Memory

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        model = lut_model()
        return {
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "failed": dict(self.failed),
            "computed": self.computed,
            "memory": asdict(self.memory),
            "lut_model": {"mean_error": model.mean_error, "largest_error": model.largest_error},
        }


def explore(
    models: Sequence[QuantGraph | str | Path],
    configs: Sequence[Config | str | Path] = (),
    output: str | Path | None = None,
    *,
    base: Config | str | Path = "base",
    sweep: Mapping[str, Sequence[int]] | None = None,
    memory: Memory | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Exploration:
    """Return cycles and size of configurations, and which are worth having.

    Parameters
    ----------
    models : sequence of QuantGraph, str or pathlib.Path
        Quantized networks or their files.
    configs : sequence of Config, str or pathlib.Path
        Accelerators.
    output : str or pathlib.Path, optional
        Folder for ``points.jsonl``, which also keeps what need not be computed again.
    base : Config, str or pathlib.Path
        What a sweep changes.
    sweep : mapping, optional
        Values by field of the configuration; all combinations are tried.
    memory : Memory, optional
        External memory.
    jobs : int, optional
        Processes; else one for each core.
    executor : concurrent.futures.Executor, optional
        Where to compute instead, for example that of a Dask client.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelError, ConfigError, FlowError
        A file or an option cannot be used.
    """
    tell, chosen = progress or silent, memory or Memory()
    graphs = _named(models)
    tried, refused = _configs(configs, base, sweep)
    tasks = {
        (config.name, name): Task(network=name, graph=data, config=config, memory=chosen)
        for config in tried
        for name, data in graphs.items()
    }
    path = None if output is None else Path(output) / POINTS
    known = read_points(path) if path else {}
    points = {task.key: known[task.key] for task in tasks.values() if task.key in known}
    missing = {task.key: task for task in tasks.values() if task.key not in points}
    for point in _computed(list(missing.values()), jobs, executor, tell):
        points[point["key"]] = point
        if path is not None:
            append_point(path, point)
    candidates, failed = _candidates(tried, list(graphs), tasks, points)
    return Exploration(
        candidates=pareto(candidates),
        failed={**failed, **refused},
        computed=len(missing),
        memory=chosen,
    )


def _named(models: Sequence[QuantGraph | str | Path]) -> dict[str, bytes]:
    """Return networks as bytes by name; files are named as their files are."""
    if not models:
        raise FlowError("no network: name quantized networks, before --configs and --sweep")
    named: dict[str, bytes] = {}
    for model in models:
        graph = model if isinstance(model, QuantGraph) else from_onnx(model)
        stem = graph.name if isinstance(model, QuantGraph) else Path(model).name
        name = stem.removesuffix(".onnx").removesuffix(".q")
        if name in named:
            raise FlowError(f"two networks are named {name}")
        named[name] = graph_to_bytes(graph)
    return named


def _configs(
    configs: Sequence[Config | str | Path],
    base: Config | str | Path,
    sweep: Mapping[str, Sequence[int]] | None,
) -> tuple[list[Config], dict[str, str]]:
    """Return what to try, equal ones once, and what cannot be built."""
    if not configs and not sweep:
        raise FlowError("nothing to compare: give --configs or --sweep")
    found = [load_config(config) for config in configs]
    refused: list[str] = []
    if sweep:
        combined, refused = swept(load_config(base), sweep)
        found += combined
    unique: dict[int, Config] = {}
    for config in found:
        unique.setdefault(config.id, config)
    names = [config.name for config in unique.values()]
    for name in {name for name in names if names.count(name) > 1}:
        raise FlowError(f"two different configurations are named {name}")
    return list(unique.values()), dict(text.split(": ", 1) for text in refused)


def _computed(
    tasks: Sequence[Task], jobs: int | None, executor: Executor | None, tell: Progress
) -> Iterable[Point]:
    """Yield points as they come."""
    if not tasks:
        return
    pool = executor or ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    futures = [pool.submit(evaluate, task) for task in tasks]
    try:
        tell(f"computing {len(tasks)} points", 0, len(tasks))
        for count, future in enumerate(as_completed(futures), start=1):
            yield future.result()
            tell(f"computing {len(tasks)} points", count, len(tasks))
    finally:
        for future in futures:
            future.cancel()
        if executor is None:
            pool.shutdown(cancel_futures=True)


def _candidates(
    configs: Sequence[Config],
    networks: Sequence[str],
    tasks: Mapping[tuple[str, str], Task],
    points: Mapping[str, Point],
) -> tuple[list[Candidate], dict[str, str]]:
    """Put the points of each configuration together."""
    candidates, failed, model = [], {}, lut_model()
    for config in configs:
        own = {name: points[tasks[config.name, name].key] for name in networks}
        errors = [f"{name}: {point['error']}" for name, point in own.items() if "error" in point]
        if errors:
            failed[config.name] = errors[0]
            continue
        cycles = {name: int(point["cycles"]) for name, point in own.items()}
        candidate = Candidate(
            config=config,
            cycles=cycles,
            mean_cycles=exp(sum(log(max(n, 1)) for n in cycles.values()) / len(cycles)),
            utilization={name: float(point["array_utilization"]) for name, point in own.items()},
            dsps=config.macs_per_cycle + config.columns * config.vector_taps,
            luts=model.estimate(config),
            memory_bits=config.memory_bits,
        )
        candidates.append(candidate)
    if not candidates:
        warnings.warn("no configuration runs all networks", UserWarning, stacklevel=3)
    return candidates, failed


def pareto(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return candidates by cycles, those marked that no other beats in everything."""
    ordered = sorted(candidates, key=lambda c: (*c.costs, c.config.name))
    marked = []
    for own in ordered:
        beaten = any(
            other.costs != own.costs
            and all(a <= b for a, b in zip(other.costs, own.costs, strict=True))
            for other in ordered
        )
        marked.append(replace(own, best=not beaten))
    return tuple(marked)
