"""Kinds of files, told by their first bytes."""

from pathlib import Path

__all__ = ["is_program"]


def is_program(path: str | Path) -> bool:
    """Return whether a file looks like a program: a length, then JSON.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with Path(path).open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32
