"""The RTL engine's C interface, as Python calls it."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.instructions import Engine
from ..isa.registers import register
from .result import SimulationError, Stamps
from .rtl_handle import Functions, Handle

__all__ = ["Bench"]

_VOID, _INT, _I64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_U32, _U64, _DOUBLE = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_double
_ADDRESS = ctypes.POINTER(_VOID)

#: Functions by name: what they return, and what they take after the handle.
_FUNCTIONS: Functions = {
    "open": (_VOID, ()),
    "close": (None, ()),
    "reset": (None, ()),
    "configure": (None, (_I64, _I64, _I64)),
    "pause": (None, (_DOUBLE, _U64)),
    "map": (None, (_VOID, _U64, _U64, _INT)),
    "fault": (None, (_U64, _U64)),
    "unmap": (None, ()),
    "write": (_INT, (_U32, _U32)),
    "read": (_INT, (_U32, ctypes.POINTER(_U32))),
    "start": (_INT, (_U32, _U32, _INT)),
    "run": (_INT, (_I64,)),
    "elapsed": (_I64, ()),
    "origin": (_I64, ()),
    "violation": (_INT, ()),
    "word_bytes": (_I64, ()),
    "writes": (_I64, (_ADDRESS, _ADDRESS)),
    "stamps": (_I64, (_INT, _INT, _ADDRESS)),
}

#: Values of Violation in the C++ source.
_VIOLATIONS = {1: "a burst crosses a 4 KiB page", 2: "an unaligned burst", 3: "a misplaced WLAST"}


class Bench:
    """A compiled accelerator between a memory and a host; cycle by cycle, all is C++.

    Parameters
    ----------
    library : Path
        What :func:`shiftloom.sim.rtl_build.build_library` made.
    """

    def __init__(self, library: Path) -> None:
        self._call = Handle(library, _FUNCTIONS)
        self._mapped: list[NDArray[np.uint8]] = []

    def reset(self) -> None:
        """Reset the design by its pin, and forget what is in flight in the memory."""
        self._call("reset")

    def configure(self, latency: int, interval: int, outstanding: int) -> None:
        """Set the memory's latency, cycles from beat to beat, and requests taken ahead."""
        self._call("configure", latency, interval, outstanding)

    def pause(self, stalls: float, seed: int) -> None:
        """Set the share of cycles in which the memory's channels pause."""
        self._call("pause", stalls, seed)

    def map(self, data: NDArray[np.uint8], address: int, *, writable: bool) -> None:
        """Put a contiguous array into the address space; it is kept alive until :meth:`unmap`."""
        self._mapped.append(data)
        self._call("map", data.ctypes.data, data.nbytes, address, int(writable))

    def fault(self, addresses: range) -> None:
        """Let beats that touch these addresses answer with SLVERR."""
        self._call("fault", addresses.start, addresses.stop)

    def unmap(self) -> None:
        """Take all arrays and faults out of the address space."""
        self._call("unmap")
        self._mapped.clear()

    def write(self, name: str, value: int) -> None:
        """Write a register."""
        self._answered(self._call("write", register(name).offset, value))

    def read(self, name: str) -> int:
        """Return the value of a register."""
        value = _U32()
        self._answered(self._call("read", register(name).offset, ctypes.byref(value)))
        return value.value

    def start(self, control: int, *, trace: bool) -> None:
        """Write CONTROL; what is traced, and the time, begin here."""
        self._answered(self._call("start", register("CONTROL").offset, control, int(trace)))

    @staticmethod
    def _answered(answered: int) -> None:
        if not answered:
            raise SimulationError("the register port does not answer")

    def run(self, cycles: int) -> bool:
        """Run until the interrupt, at most so many cycles; return whether it came."""
        return bool(self._call("run", cycles))

    @property
    def elapsed(self) -> int:
        """Cycles since the start."""
        return int(self._call("elapsed"))

    @property
    def word_bytes(self) -> int:
        """Bytes of a word that the vector unit writes."""
        return int(self._call("word_bytes"))

    @property
    def violation(self) -> str | None:
        """How the design broke the rules of AXI4, if it did."""
        return _VIOLATIONS.get(self._call("violation"))

    def writes(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return word addresses ``(n,)`` and bytes ``(n, word_bytes)`` of traced writes."""
        addresses, data, size = _VOID(), _VOID(), self.word_bytes
        count = self._call("writes", ctypes.byref(addresses), ctypes.byref(data))
        flat = _copy(data, count * size, np.uint8)
        return _copy(addresses, count, np.int32), flat.reshape(count, size)

    def work_done(self) -> dict[Engine, int]:
        """Return how many pieces of work each engine has completed since the start."""
        return {engine: self._stamps(engine, 1)[0] for engine in Engine}

    def stamps(self, *, dones: bool) -> Stamps:
        """Return when each piece of work started, or completed, in cycles since the start."""
        stamps, origin = {}, self._call("origin")
        for engine in Engine:
            count, address = self._stamps(engine, int(dones))
            stamps[engine] = _copy(address, count, np.int64) - origin
        return stamps

    def _stamps(self, engine: Engine, dones: int) -> tuple[int, ctypes.c_void_p]:
        address = _VOID()
        return self._call("stamps", int(engine), dones, ctypes.byref(address)), address


def _copy(address: ctypes.c_void_p, count: int, kind: Any) -> NDArray[Any]:
    """Return a copy of an array in C++."""
    size = count * np.dtype(kind).itemsize
    raw = ctypes.string_at(address, size) if size else b""
    return np.frombuffer(raw, kind).copy()
