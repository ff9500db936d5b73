"""What every simulator returns: what was written, how often, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..isa.instructions import Engine
from ..isa.registers import Error

__all__ = ["Run", "SimulationError", "Stamps"]

#: Per engine the cycle numbers of its pieces of work, int64, in order.
Stamps = Mapping[Engine, NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One complete run of a segment.

    Parameters
    ----------
    engine : str
        Which simulator: ``golden``, ``cycle``, ``rtl``.
    addresses : int32 array
        ``(n,)``: word address in the activation buffer of each word that VECTOR work wrote, in
        order; empty without tracing.
    data : uint8 array
        ``(n, word_bytes)``: what it wrote; bytes that packed results leave alone are 0.
    counts : int32 array
        Words that each VECTOR instruction writes, in order; with tracing they add up to ``n``,
        unless the hardware is wrong.
    cycles : int or None
        From start to done; None where time is unknown.
    counters : mapping of str to int
        The machine's counters by register name (``MAC_CYCLES``, ``READ_BEATS``, …).
    starts, dones : mapping of Engine to int64 array, or None
        Cycles in which each piece of work entered its engine and completed, per engine in order.
        They count as the machine's CYCLES does: its first running cycle is 0.
    """

    engine: str
    addresses: NDArray[np.int32]
    data: NDArray[np.uint8]
    counts: NDArray[np.int32]
    cycles: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    starts: Stamps | None = None
    dones: Stamps | None = None


class SimulationError(RuntimeError):
    """The machine stopped, or never will; the message says why and where.

    Parameters
    ----------
    message : str
        One sentence.
    error : Error
        The machine's error code; ``NONE`` where the machine itself reports none: a hang, an
        access outside a buffer, a program for another accelerator.
    index : int or None
        The instruction's index in the program.
    """

    def __init__(
        self, message: str, *, error: Error = Error.NONE, index: int | None = None
    ) -> None:
        super().__init__(message)
        self.error = error
        self.index = index
