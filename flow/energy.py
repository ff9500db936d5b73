"""An estimate of energy from counts of accesses; the constants and their source are one table."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..sim.cycle.accesses import Access

__all__ = ["EnergyTable", "energy_of", "energy_table"]

_TABLE = Path(__file__).parent / "energy.toml"

#: Parts of the estimate, and the accesses that they come from.
_MEMORIES: Mapping[str, tuple[Access, Access]] = {
    "activation": (Access.ACTIVATION_READ, Access.ACTIVATION_WRITE),
    "weight": (Access.WEIGHT_READ, Access.WEIGHT_WRITE),
    "parameter": (Access.PARAMETER_READ, Access.PARAMETER_WRITE),
    "accumulator": (Access.ACCUMULATOR_READ, Access.ACCUMULATOR_WRITE),
}

_SUM_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class EnergyTable:
    """What operations and accesses take, in picojoules.

    Parameters
    ----------
    source : str
        Where the constants are from.
    multiply, accumulate, requantize : float
        Of one operation.
    sizes, accesses : tuple of float
        Bytes of on-chip memories, and what 8 bytes of them take.
    external : float
        Of a byte of external memory.
    """

    source: str
    multiply: float
    accumulate: float
    requantize: float
    sizes: tuple[float, ...]
    accesses: tuple[float, ...]
    external: float

    def byte(self, size: int) -> float:
        """Return what a byte of a memory takes; sizes beyond the table count as its ends."""
        access = np.interp(np.log2(size), np.log2(self.sizes), np.log2(self.accesses))
        return float(2**access) / 8


@cache
def energy_table() -> EnergyTable:
    """Return the table that comes with the package."""
    values = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return EnergyTable(
        source=values["source"],
        **values["operation"],
        sizes=tuple(values["memory"]["bytes"]),
        accesses=tuple(values["memory"]["access"]),
        external=values["external"]["byte"],
    )


def energy_of(accesses: NDArray[np.int64], config: Config) -> dict[str, float]:
    """Return an estimate in microjoules, by part of the machine.

    Parameters
    ----------
    accesses : int64 array
        Counts, one for each :class:`~shiftloom.sim.cycle.accesses.Access`.
    config : Config
        Sizes of the memories, and multipliers at work in each step.
    """
    table, sizes = energy_table(), _memory_bytes(config)
    products = int(accesses[Access.ARRAY_STEPS]) * config.macs_per_cycle
    products += int(accesses[Access.TAP_STEPS]) * config.columns * config.vector_taps
    lanes = int(accesses[Access.ACTIVATION_WRITE]) // config.word_bytes * config.columns
    external = accesses[Access.EXTERNAL_READ] + accesses[Access.EXTERNAL_WRITE]
    parts = {"arithmetic": products * (table.multiply + table.accumulate)}
    parts["arithmetic"] += lanes * table.requantize
    for name, (read, written) in _MEMORIES.items():
        parts[name] = int(accesses[read] + accesses[written]) * table.byte(sizes[name])
    parts["external"] = int(external) * table.external
    return {name: value / 1e6 for name, value in parts.items()}


def _memory_bytes(config: Config) -> dict[str, int]:
    """Return the bytes of one memory of each kind: a bank, a buffer, the sums of a column."""
    return {
        "activation": config.activation_bytes // config.activation_banks,
        "weight": config.weight_bytes,
        "parameter": config.parameter_bytes,
        "accumulator": config.accumulator_pixels * _SUM_BYTES,
    }
