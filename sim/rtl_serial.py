"""A board's system as a serial port: compiled Verilog at the end of a simulated line."""

import ctypes
from pathlib import Path

from .rtl_build import SERIAL, Progress, build_library
from .rtl_handle import Functions, Handle

__all__ = ["SimulatedPort", "build_port"]

_I64 = ctypes.c_int64

#: Functions by name: what they return, and what they take after the handle.
_FUNCTIONS: Functions = {
    "open": (ctypes.c_void_p, (ctypes.c_int,)),
    "close": (None, ()),
    "send": (None, (ctypes.c_char_p, _I64)),
    "receive": (_I64, (ctypes.c_char_p, _I64)),
    "waiting": (_I64, ()),
    "unsent": (_I64, ()),
    "now": (_I64, ()),
    "run": (None, (_I64, _I64)),
}


def build_port(verilog: str, *, divisor: int, progress: Progress | None = None) -> "SimulatedPort":
    """Return the port of a system; built the first time, afterwards from the cache.

    Parameters
    ----------
    verilog : str
        Module ``shiftloom_top`` with ``clk``, ``rst``, ``rx`` and ``tx``.
    divisor : int
        Clock cycles of a bit.
    progress : callable, optional
        Called with what is being done and the share that is done, 0…1.

    Raises
    ------
    BuildError
        No C++ compiler, another text, or a tool that fails.
    """
    return SimulatedPort(build_library(verilog, bench=SERIAL, progress=progress), divisor)


class SimulatedPort:
    """Bytes to and from a system; time passes while bytes are waited for.

    Has the methods of a serial port that the host driver uses.

    Parameters
    ----------
    library : Path
        What was built from the system.
    divisor : int
        Clock cycles of a bit.
    """

    #: Cycles for which :meth:`read` waits, where a real port has a time in seconds.
    patience = 200_000

    def __init__(self, library: Path, divisor: int) -> None:
        self._call = Handle(library, _FUNCTIONS, divisor)

    @property
    def cycles(self) -> int:
        """Cycles since the start."""
        return int(self._call("now"))

    @property
    def in_waiting(self) -> int:
        """Bytes that have come and were not read."""
        return int(self._call("waiting"))

    def write(self, data: bytes) -> int:
        """Queue bytes for the line; they go as time passes."""
        self._call("send", data, len(data))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """Return so many bytes, or fewer if they do not come in time."""
        while self._call("unsent") and self.in_waiting < size:
            self._call("run", self.patience, size)
        self._call("run", self.patience, size)
        buffer = ctypes.create_string_buffer(size)
        count = self._call("receive", buffer, size)
        return buffer.raw[:count]

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self._call("run", cycles, 1 << 62)
