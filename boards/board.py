"""Board: what the tools need to know of one, and the boards there are."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..isa.config import Config, load_config
from .flat_module import Step

__all__ = ["BOARDS", "Board", "BoardError", "load_board"]


class BoardError(ValueError):
    """No such board, or something that it cannot do; the message says what would be right."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, and the accelerator that it carries.

    Parameters
    ----------
    name : str
        As users type it; also the name of its configuration and of its module.
    title : str
        Board and chip, for reports.
    family : str
        Which tools build for it: a key of :data:`shiftloom.boards.families.FAMILIES`.
    platform : callable
        Returns its Amaranth platform.
    oscillator : str
        Name of the platform's clock.
    oscillator_hz, clock_hz : int
        Its frequency, and the machine's.
    baud : int
        Bits per second of the host link.
    memory_bytes : int
        Size of the accelerator's external memory.
    loader : str
        Command that loads a bitstream; ``{}`` stands for its file.
    seed : int
        Of a placement that reaches the clock.
    finish : tuple of callable
        Each changes the flat netlist for this chip, after its family's.
    """

    name: str
    title: str
    family: str
    platform: Callable[[], Any]
    oscillator: str
    oscillator_hz: int
    clock_hz: int
    baud: int
    memory_bytes: int
    loader: str
    seed: int = 1
    finish: tuple[Step, ...] = ()

    @property
    def config(self) -> Config:
        """The accelerator that fits the board."""
        return load_config(self.name)


#: Names of boards; each is a module of this package with a function ``board``.
BOARDS = ("icebreaker", "ulx3s", "tangnano20k")


def load_board(name: str) -> Board:
    """Return a board by name.

    Raises
    ------
    BoardError
        There is no such board.
    """
    if name not in BOARDS:
        _refuse_vivado(name)
        raise BoardError(f"no board {name}: use {' or '.join(BOARDS)}")
    found: Board = import_module(f".{name}", __package__).board()
    return found


def _refuse_vivado(name: str) -> None:
    """Say what is right for a board whose bitstreams our tools cannot make."""
    from .ip.vivado import VIVADO_BOARDS

    if (plain := name.replace("-", "_")) in VIVADO_BOARDS:
        raise BoardError(
            f"bitstreams for {name} are made by Vivado: shiftloom generate --board {plain} -o DIR "
            "writes the script, and all that it needs"
        )
