"""The compiled cycle model: the same cycles as the blocks of this folder, sooner.

The C++ sources in ``native/`` say in the same words what the modules beside this one say, with
constants and fields from ``isa/``. They are compiled once and kept. The modules decide: where there
is no compiler, a program is wrong, or the machine gets stuck, they run instead.
"""

import ctypes
import platform
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.config import INSTRUCTION_BYTES
from ...isa.instructions import ENGINES
from ...isa.program import Program, Segment
from ..libraries import content_key, kept_library, library_suffix
from ..result import Stamps
from ..rtl_compiler import BuildError, find_compiler, run
from ..rtl_handle import Functions, Handle
from .agenda import NEVER
from .declared import config_values, declarations, memory_values
from .memory import Memory

__all__ = ["NativeRun", "build_model", "run_native"]

#: As in rtl_build.py: zig would stop the process at undefined behaviour unless told not to.
_OPTIONS = (
    *("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-g0", "-s"),
    "-fno-sanitize=all",
)

_VOID, _INT, _I64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_ARRAY = ctypes.POINTER(_I64)

#: Functions by name: what they return, and what they take after the handle.
_FUNCTIONS: Functions = {
    "open": (_VOID, (ctypes.c_char_p, _I64, _ARRAY, _ARRAY)),
    "close": (None, ()),
    "total": (_I64, ()),
    "array": (_I64, (_INT, ctypes.POINTER(_ARRAY))),
}

#: Arrays that a run has for each engine, and others, in the order of model.cpp.
_STAMPS = ("starts", "dones", "waits", "waited", "stalls")
_OTHERS = ("begins", "reads", "fetches", "writes", "counts", "counters")


class NativeRun:
    """What a run of the compiled model found.

    Parameters
    ----------
    run : Handle
        A run that has ended.
    """

    def __init__(self, run: Handle) -> None:
        self._call = run
        self.cycles = int(run("total"))

    def stamps(self, name: str) -> Stamps:
        """Return ``starts``, ``dones``, ``waits``, ``waited`` or ``stalls``, per engine."""
        first = _STAMPS.index(name) * len(ENGINES)
        return {engine: self._array(first + engine) for engine in ENGINES}

    def array(self, name: str) -> NDArray[np.int64]:
        """Return ``begins``, ``counts``, ``counters`` or bursts: flat, int64."""
        return self._array(len(_STAMPS) * len(ENGINES) + _OTHERS.index(name))

    def _array(self, index: int) -> NDArray[np.int64]:
        data = _ARRAY()
        count = self._call("array", index, ctypes.byref(data))
        return np.ctypeslib.as_array(data, (count,)).copy() if count else np.zeros(0, np.int64)


def run_native(program: Program, segment: Segment, memory: Memory) -> NativeRun | None:
    """Run a segment on the compiled model; None where the modules beside it have to."""
    library = _library()
    if library is None:
        return None
    size = INSTRUCTION_BYTES
    code = program.code[segment.first * size : (segment.first + segment.count) * size]
    config, numbers = config_values(program.config), memory_values(memory)
    found = NativeRun(
        Handle(library, _FUNCTIONS, code, segment.count, _values(config), _values(numbers))
    )
    return None if found.cycles == NEVER else found


def _values(numbers: list[int]) -> Any:
    return (_I64 * len(numbers))(*numbers)


@lru_cache(maxsize=1)
def _library() -> Path | None:
    """Return the compiled model; None where it cannot be built or loaded."""
    try:
        library = build_model()
        ctypes.CDLL(str(library))
    except (BuildError, OSError):
        return None
    return library


def build_model() -> Path:
    """Return the compiled model's library, from the cache if it is there.

    Raises
    ------
    BuildError
        No compiler, one that fails, or a folder that cannot be written.
    """
    sources = _sources()
    return kept_library(f"cycles-{_key(sources)}", lambda folder: _build(sources, folder))


def _build(sources: dict[str, bytes], folder: Path) -> Path:
    """Return the library, built in a folder."""
    for name, text in sources.items():
        (folder / name).write_bytes(text)
    library = folder / f"model{library_suffix()}"
    run([*find_compiler().command, *_OPTIONS, "model.cpp", "-o", str(library)], folder)
    return library


def _sources() -> dict[str, bytes]:
    """Return the sources by name."""
    files = (resources.files(__package__) / "native").iterdir()
    texts = {file.name: file.read_bytes() for file in files if file.name.endswith((".h", ".cpp"))}
    return {**texts, "declared.h": declarations().encode()}


def _key(sources: dict[str, bytes]) -> str:
    """Return a name for everything that the library depends on."""
    system = f"{platform.system()} {platform.machine()} {' '.join(_OPTIONS)}"
    parts = (part for name in sorted(sources) for part in (name.encode(), sources[name]))
    return content_key(system.encode(), *parts)
