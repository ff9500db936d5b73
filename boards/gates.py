"""Gates: an accelerator after synthesis, as Verilog that simulators run."""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

from ..hw.verilog import trace_rtlil
from ..isa.config import Config
from .board import BoardError
from .build import Progress
from .cache import cached, content_key
from .families import FAMILIES
from .family import Family
from .tools import YOSYS

__all__ = ["MODELLED", "netlist_verilog"]

_TOP = "shiftloom_top"

#: Families of whose cells there are models.
MODELLED = tuple(name for name, family in FAMILIES.items() if family.models)


@dataclass(frozen=True)
class _Platform:
    """What blocks are told of the chip."""

    family: str


def netlist_verilog(config: Config, family: str, tell: Progress) -> str:
    """Return an accelerator's netlist for a family of chips, and models of its cells.

    Parameters
    ----------
    config : Config
        The accelerator; with the ports that simulators trace.
    family : str
        One of :data:`MODELLED`.
    tell : callable
        Told what is being done.

    Raises
    ------
    BoardError
        There is no such family, or no models of its cells.
    ToolError
        Synthesis is not installed, or failed.
    """
    if family not in MODELLED:
        raise BoardError(f"no models of the cells of {family}: use {' or '.join(MODELLED)}")
    chosen, design = FAMILIES[family], trace_rtlil(config, _Platform(family))
    maps = chosen.map_texts
    key = content_key(design, chosen.synthesis, *maps.values(), YOSYS.version, "netlist")
    with TemporaryDirectory(prefix="shiftloom-") as scratch:
        folder = Path(scratch)

        def make() -> None:
            tell(f"synthesizing {config.name} for {family}", 0, 0)
            (folder / "top.il").write_text(design, encoding="utf-8")
            for name, text in maps.items():
                (folder / name).write_text(text, encoding="utf-8")
            script = (
                f"read_rtlil top.il; hierarchy -top {_TOP}; {chosen.synthesis} -top {_TOP}; "
                "write_verilog -noattr -noexpr netlist.v"
            )
            YOSYS.run(["-q", "-p", script], folder)

        cached(key, ("netlist.v",), folder, make)
        netlist = (folder / "netlist.v").read_text(encoding="utf-8")
    return netlist + cell_models(chosen)


def cell_models(family: Family) -> str:
    """Return the models of a family's cells: Yosys' own, and ours where it has none.

    Delays are left out: simulators that run programs know none.
    """
    theirs = [(YOSYS.share / name).read_text(encoding="utf-8") for name in family.models]
    folder = resources.files(__package__ or "")
    ours = [(folder / name).read_text(encoding="utf-8") for name in family.our_models]
    text = re.sub(r"^`include .*$", "", "\n".join(theirs + ours), flags=re.MULTILINE)
    return re.sub(r"\bspecify\b.*?\bendspecify\b", "", text, flags=re.DOTALL)
