"""A C++ object behind a C interface, as Python calls it."""

import ctypes
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Functions", "Handle"]

#: Functions by name: what they return, and what they take after the handle. ``open`` returns the
#: handle and takes none, ``close`` frees it.
Functions = Mapping[str, tuple[Any, tuple[Any, ...]]]


class Handle:
    """An object of a compiled library; closed when it is no longer used.

    Parameters
    ----------
    library : Path
        What :func:`shiftloom.sim.rtl_build.build_library` made, or another with such functions.
    functions : mapping
        The library's functions, without the prefix ``shiftloom_``; ``open`` and ``close`` among
        them.
    arguments
        What ``shiftloom_open`` takes.

    Raises
    ------
    OSError
        The library cannot be loaded.
    """

    def __init__(self, library: Path, functions: Functions, *arguments: Any) -> None:
        loaded = ctypes.CDLL(str(library))
        self._functions = {}
        for name, (returns, takes) in functions.items():
            function = self._functions[name] = loaded[f"shiftloom_{name}"]
            handle = () if name == "open" else (ctypes.c_void_p,)
            function.restype, function.argtypes = returns, (*handle, *takes)
        self._handle = self._functions["open"](*arguments)
        weakref.finalize(self, self._functions["close"], self._handle)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Call a function on the object."""
        return self._functions[name](self._handle, *arguments)
