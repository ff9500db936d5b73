"""The annotations hold: mypy, strict, on everything but hardware and tests."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHECKED = ("isa", "quant", "compiler", "sim", "boards", "flow")


def link_packages(folder):
    """Link the packages under the names that they are imported by.

    Mypy knows packages by the folders that they lie in, not by what pyproject.toml maps them to.
    """
    top = folder / "shiftloom"
    top.mkdir()
    for module in (ROOT / "api").glob("*.py"):
        (top / module.name).symlink_to(module)
    for package in (*CHECKED, "hw"):
        (top / package).symlink_to(ROOT / package)
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")


def test_types(tmp_path):
    link_packages(tmp_path)
    names = [*(f"shiftloom.{name}" for name in CHECKED), "benchmarks"]
    packages = [argument for name in names for argument in ("-p", name)]
    config = ["--config-file", str(ROOT / "pyproject.toml")]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache")]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *config, *cache, *packages],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k not in ("MYPYPATH", "PYTHONPATH")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
