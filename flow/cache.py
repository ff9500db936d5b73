"""The folder of what can be made again, and texts in it."""

import hashlib
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from .files import write_file

__all__ = ["cache_folder", "keep_text", "kept_text"]


def cache_folder() -> Path:
    """Return the folder; it may be deleted at any time."""
    return user_cache_path("shiftloom", appauthor=False)


def kept_text(name: str) -> str | None:
    """Return a text that was kept; None if there is none, or it is damaged."""
    try:
        content = (cache_folder() / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    digest, _, text = content.partition("\n")
    return text if digest == _digest(text) else None


def keep_text(name: str, text: str) -> None:
    """Keep a text; a folder that cannot be written only costs time."""
    with suppress(OSError):
        write_file(cache_folder() / name, f"{_digest(text)}\n{text}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
