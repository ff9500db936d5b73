"""The compiled cycle model: the same cycles as the blocks of this folder, sooner.

The C++ sources in ``native/`` say in the same words what the modules beside this one say, with
constants and fields from ``isa/``. They are compiled once and kept. The modules decide: where there
is no compiler, a program is wrong, or the machine gets stuck, they run instead.
"""

import ctypes
import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.config import INSTRUCTION_BYTES
from ...isa.instructions import ENGINES
from ...isa.program import Program, Segment
from ..result import Stamps
from ..rtl_build import cache_folder, library_suffix, scratch_folder
from ..rtl_compiler import BuildError, find_compiler, run
from .agenda import NEVER
from .declared import config_values, declarations, memory_values
from .memory import Memory

__all__ = ["NativeRun", "build_model", "run_native"]

#: As in rtl_build.py: zig would stop the process at undefined behaviour unless told not to.
_OPTIONS = (
    *("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-g0", "-s"),
    "-fno-sanitize=all",
)

_I64 = ctypes.POINTER(ctypes.c_int64)

#: Arrays that a run has for each engine, and others, in the order of model.cpp.
_STAMPS = ("starts", "dones", "waits", "waited", "stalls")
_OTHERS = ("begins", "reads", "fetches", "writes", "counts", "counters")


class NativeRun:
    """What a run of the compiled model found.

    Parameters
    ----------
    library : ctypes.CDLL
        The model.
    handle : int
        A run that has ended.
    """

    def __init__(self, library: ctypes.CDLL, handle: int) -> None:
        self._library, self._handle = library, handle
        self.cycles = int(library.shiftloom_cycles_total(handle))

    def stamps(self, name: str) -> Stamps:
        """Return ``starts``, ``dones``, ``waits``, ``waited`` or ``stalls``, per engine."""
        first = _STAMPS.index(name) * len(ENGINES)
        return {engine: self._array(first + engine) for engine in ENGINES}

    def array(self, name: str) -> NDArray[np.int64]:
        """Return ``begins``, ``counts``, ``counters`` or bursts: flat, int64."""
        return self._array(len(_STAMPS) * len(ENGINES) + _OTHERS.index(name))

    def _array(self, index: int) -> NDArray[np.int64]:
        data = _I64()
        count = self._library.shiftloom_cycles_array(self._handle, index, ctypes.byref(data))
        return np.ctypeslib.as_array(data, (count,)).copy() if count else np.zeros(0, np.int64)


@contextmanager
def run_native(program: Program, segment: Segment, memory: Memory) -> Iterator[NativeRun | None]:
    """Run a segment on the compiled model; None where the modules beside it have to."""
    library = _library()
    if library is None:
        yield None
        return
    size = INSTRUCTION_BYTES
    code = program.code[segment.first * size : (segment.first + segment.count) * size]
    config, numbers = config_values(program.config), memory_values(memory)
    handle = library.shiftloom_cycles_run(code, segment.count, _values(config), _values(numbers))
    try:
        found = NativeRun(library, handle)
        yield None if found.cycles == NEVER else found
    finally:
        library.shiftloom_cycles_close(handle)


def _values(numbers: list[int]) -> Any:
    return (ctypes.c_int64 * len(numbers))(*numbers)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """Return the compiled model; None where it cannot be built."""
    try:
        library = ctypes.CDLL(str(build_model()))
    except (BuildError, OSError):
        return None
    handle, number = ctypes.c_void_p, ctypes.c_int64
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "run": (handle, (ctypes.c_char_p, number, _I64, _I64)),
        "total": (number, (handle,)),
        "array": (number, (handle, ctypes.c_int, ctypes.POINTER(_I64))),
        "close": (None, (handle,)),
    }
    for name, (returns, takes) in functions.items():
        function = library[f"shiftloom_cycles_{name}"]
        function.restype, function.argtypes = returns, takes
        setattr(library, f"shiftloom_cycles_{name}", function)
    return library


def build_model() -> Path:
    """Return the compiled model's library, from the cache if it is there.

    Raises
    ------
    BuildError
        No compiler, one that fails, or a folder that cannot be written.
    """
    sources = _sources()
    library = cache_folder() / f"cycles-{_key(sources)}{library_suffix()}"
    if not library.exists():
        compiler = find_compiler()
        with scratch_folder(library.parent) as folder:
            for name, text in sources.items():
                (folder / name).write_bytes(text)
            built = folder / library.name
            run([*compiler.command, *_OPTIONS, "model.cpp", "-o", str(built)], folder)
            os.replace(built, library)
    return library


def _sources() -> dict[str, bytes]:
    """Return the sources by name."""
    files = (resources.files(__package__) / "native").iterdir()
    texts = {file.name: file.read_bytes() for file in files if file.name.endswith((".h", ".cpp"))}
    return {**texts, "declared.h": declarations().encode()}


def _key(sources: dict[str, bytes]) -> str:
    """Return a name for everything that the library depends on."""
    system = f"{platform.system()} {platform.machine()} {' '.join(_OPTIONS)}".encode()
    digest = hashlib.sha256(len(system).to_bytes(8, "little") + system)
    for name in sorted(sources):
        for part in (name.encode(), sources[name]):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:32]
