"""Results of tools, kept by their content: what was built once is not built again."""

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cached", "content_key"]


def content_key(*parts: str) -> str:
    """Return a name for texts, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def cached(key: str, names: Sequence[str], folder: Path, make: Callable[[], None]) -> bool:
    """Put files into a folder: from the cache, else by making them; return whether they were there.

    Parameters
    ----------
    key : str
        Covers everything that the files depend on.
    names : sequence of str
        The files; ``make`` leaves them in ``folder``.
    folder : Path
        Where they are wanted.
    make : callable
        Makes them.
    """
    kept = user_cache_path("shiftloom", appauthor=False) / "boards" / key
    if _restore(kept, names, folder):
        return True
    make()
    with suppress(OSError):  # a cache that cannot be written only costs time
        _keep(kept, names, folder)
    return False


def _restore(kept: Path, names: Sequence[str], folder: Path) -> bool:
    try:
        contents = {name: gzip.decompress((kept / f"{name}.gz").read_bytes()) for name in names}
    except (OSError, EOFError, gzip.BadGzipFile):
        return False
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return True


def _keep(kept: Path, names: Sequence[str], folder: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="build-", dir=kept.parent))
    try:
        for name in names:
            data = gzip.compress((folder / name).read_bytes(), compresslevel=3, mtime=0)
            (scratch / f"{name}.gz").write_bytes(data)
        os.replace(scratch, kept)  # whichever process comes first wins; all made the same
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
