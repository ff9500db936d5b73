"""Boards whose chips need Vivado: what its scripts must know of them, and the scripts."""

from dataclasses import dataclass
from importlib import import_module

from ...isa.config import Config, load_config
from ..board import BoardError
from .component import vlnv
from .memory_map import REGISTER_BLOCK, REGISTER_BYTES
from .package import source

__all__ = ["VIVADO_BOARDS", "VivadoBoard", "load_vivado_board", "vivado_files"]

#: Names of boards; each is a module of the package above with a function ``board``.
VIVADO_BOARDS = ("pynq_z2", "arty_a7_35t")


@dataclass(frozen=True, kw_only=True)
class VivadoBoard:
    """A board with a chip of AMD, and the system that an accelerator gets there.

    Parameters
    ----------
    name : str
        As users type it; also the name of its configuration and of its module.
    title : str
        Board and chip, for reports.
    part, board_part : str
        The chip and the board, as Vivado names them.
    clock_mhz : int
        The accelerator's clock in megahertz.
    design : str
        File of this package with the block design, as a Tcl procedure ``build_design``.
    constraints : str
        File of this package with pins, where the design has pins that no component brings.
    luts, flip_flops, dsps, block_rams : int
        What the chip has; block RAMs of 36 kbit.
    """

    name: str
    title: str
    part: str
    board_part: str
    clock_mhz: int
    design: str
    constraints: str = ""
    luts: int
    flip_flops: int
    dsps: int
    block_rams: int

    @property
    def config(self) -> Config:
        """The accelerator that fits the board."""
        return load_config(self.name)


def load_vivado_board(name: str) -> VivadoBoard:
    """Return a board by name; hyphens count as underscores.

    Raises
    ------
    BoardError
        There is no such board.
    """
    chosen = name.replace("-", "_")
    if chosen not in VIVADO_BOARDS:
        known = " or ".join(VIVADO_BOARDS)
        raise BoardError(f"no board {name} with a chip for Vivado: use {known}")
    found: VivadoBoard = import_module(f"..{chosen}", __package__).board()
    return found


def vivado_files(board: VivadoBoard, config: Config, top: str) -> dict[str, str]:
    """Return the scripts that build a board's bitstream, and its constraints, by name."""
    settings = {
        "name": "shiftloom",
        "part": board.part,
        "board_part": board.board_part,
        "component": ":".join(vlnv(top)),
        "clock_mhz": str(board.clock_mhz),
        "bus_bits": str(8 * config.bus_bytes),
        "register_block": REGISTER_BLOCK,
        "register_bytes": str(REGISTER_BYTES),
        "constraints": board.constraints,
    }
    lines = [f"# {board.title}: an overlay with {top}, from nothing to its bitstream."]
    lines += ["#", f"#     vivado -mode batch -source {_script_name(board)}", "#"]
    lines += ["# Vivado 2020.1 or later. Change what stands here, if you like:", ""]
    lines += [f"set {name} {{{value}}}" for name, value in settings.items()]
    text = "\n".join([*lines, "", source(board.design), source("vivado_project.tcl")])
    files = {_script_name(board): text}
    if board.constraints:
        files[board.constraints] = source(board.constraints)
    return files


def _script_name(board: VivadoBoard) -> str:
    return f"build_{board.name}.tcl"
