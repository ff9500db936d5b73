"""Output files that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_file", "write_files"]


def write_file(path: str | Path, data: bytes | str) -> Path:
    """Write one file, with the folders above it; text is UTF-8.

    Raises
    ------
    OSError
        It cannot be written; what was there before is still there.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data.encode() if isinstance(data, str) else data)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target


def write_files(folder: str | Path, contents: Mapping[str, bytes | str]) -> list[Path]:
    """Write a folder of files: all are complete before the first appears.

    Parameters
    ----------
    folder : str or pathlib.Path
        Made if it does not exist; other files in it are kept.
    contents : mapping
        Path below the folder to contents.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(20, "is a file, not a folder", str(target))
    target.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".part.", dir=target))
    try:
        for name, data in contents.items():
            write_file(stage / name, data)
        for name in contents:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).replace(target / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return [target / name for name in contents]
