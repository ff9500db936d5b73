"""Compiled libraries in the user's cache: named by content, made once, and removed when unused."""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_dir

from .rtl_compiler import BuildError

__all__ = ["cache_folder", "content_key", "kept_library", "library_suffix", "prune"]

#: Bytes of libraries that are kept; a simulator takes about one million.
LIMIT = 2_000_000_000

#: Seconds in which a process that was given a library may still load it.
_RECENT = 3600

#: Seconds after which nobody works in a scratch folder any more.
_ABANDONED = 24 * 3600

_SCRATCH = "build-"

#: What this process was given, and may load at any time.
_given: set[Path] = set()


def cache_folder() -> Path:
    """Return the folder that keeps built simulators; it may be deleted at any time."""
    return Path(user_cache_dir("shiftloom", appauthor=False)) / "rtl"


def library_suffix() -> str:
    """Return how shared libraries' names end here."""
    return ".dll" if sys.platform == "win32" else ".so"


def content_key(*parts: bytes) -> str:
    """Return a name for everything that a library depends on."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:32]


def kept_library(name: str, make: Callable[[Path], Path]) -> Path:
    """Return a library, from the cache if it is there.

    Parameters
    ----------
    name : str
        Covers everything that the library depends on; without the suffix.
    make : callable
        Makes the library in the folder that it is given, and returns its path.

    Raises
    ------
    BuildError
        A folder that cannot be written, or what ``make`` raises.
    """
    library = cache_folder() / f"{name}{library_suffix()}"
    _given.add(library)
    with suppress(OSError):  # it is not there, or its folder belongs to another user
        os.utime(library)  # many systems keep no time of access: that of change tells the last use
    if not library.exists():
        with _scratch_folder(library.parent) as folder:
            # Whichever process comes last wins; all made the same.
            os.replace(make(folder), library)
        prune(library.parent)
    return library


def prune(folder: Path, limit: int = LIMIT) -> None:
    """Remove the libraries used longest ago beyond so many bytes, and abandoned scratch folders.

    Those that this process was given stay, and those that any process was given lately. Several
    processes may do this at a time: what is gone is gone, and what a process has loaded stays with
    it.
    """
    total, now = 0, time.time()
    for used, size, library in sorted(_libraries(folder), reverse=True):
        total += size
        recent = now - used / 1e9 < _RECENT
        if total > limit and not recent and library not in _given:
            with suppress(OSError):  # gone already, or loaded where such files cannot be removed
                if library.stat().st_mtime_ns == used:  # else somebody has just begun to use it
                    library.unlink()
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if now - scratch.stat().st_mtime > _ABANDONED:
                shutil.rmtree(scratch, ignore_errors=True)


def _libraries(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Return when each library was used last, in nanoseconds, its bytes, and its path."""
    for library in folder.glob(f"*{library_suffix()}"):
        with suppress(FileNotFoundError):  # another process removed it
            found = library.stat()
            yield found.st_mtime_ns, found.st_size, library


@contextmanager
def _scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a folder beside the target, so that the finished file can be renamed into place."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
    except OSError as error:
        raise BuildError(f"{parent} cannot be written: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
