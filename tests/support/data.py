"""Models and data sets that tests need but the repository does not hold."""

import os
from pathlib import Path

import pytest

__all__ = ["data_path", "find_data"]

ROOT = Path(__file__).resolve().parents[2]


def find_data() -> Path:
    """Return the folder of models and data sets, whether it exists or not."""
    return Path(os.environ.get("SHIFTLOOM_DATA", ROOT / ".." / "shared" / "data")).resolve()


def data_path(*parts: str) -> Path:
    """Return a file or folder of the data; skip the test where it is absent."""
    path = find_data().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)} below SHIFTLOOM_DATA ({find_data()})")
    return path
