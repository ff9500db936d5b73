"""A C++ object behind a C interface, as Python calls it."""

import ctypes
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Functions", "Handle"]

#: Functions by name: what they return, and what they take after the handle.
Functions = Mapping[str, tuple[Any, tuple[Any, ...]]]


class Handle:
    """An object of a compiled design; closed when it is no longer used.

    Parameters
    ----------
    library : Path
        What :func:`shiftloom.sim.rtl_build.build_library` made.
    functions : mapping
        The library's functions, without the prefix ``shiftloom_``; ``close`` is one of them.
    arguments
        What ``shiftloom_open`` takes.
    """

    def __init__(self, library: Path, functions: Functions, *arguments: int) -> None:
        loaded = ctypes.CDLL(str(library))
        loaded.shiftloom_open.restype = ctypes.c_void_p
        self._handle = loaded.shiftloom_open(*arguments)
        self._functions = {}
        for name, (returns, takes) in functions.items():
            function = self._functions[name] = loaded[f"shiftloom_{name}"]
            function.restype, function.argtypes = returns, (ctypes.c_void_p, *takes)
        weakref.finalize(self, self._functions["close"], self._handle)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Call a function on the object."""
        return self._functions[name](self._handle, *arguments)
