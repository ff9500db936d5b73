"""A board's design as the tools take it: a netlist with plain names, and constraints."""

from dataclasses import dataclass
from typing import Any

from ..hw.rtlil_text import plain_rtlil
from ..isa.config import Config
from .block_memory import check_memory
from .board import Board
from .families import FAMILIES
from .top import Top
from .uart import uart_divisor

__all__ = ["TOP", "Design", "make_design"]

TOP = "top"

#: Attributes that tools act on: of synchronizers, and of phase-locked loops.
_ATTRIBUTES = (
    *("keep", "ASYNC_REG"),
    *("FREQUENCY_PIN_CLKI", "FREQUENCY_PIN_CLKOP", "ICP_CURRENT", "LPF_RESISTOR"),
)


@dataclass(frozen=True, kw_only=True)
class Design:
    """What synthesis and place-and-route start from.

    Parameters
    ----------
    rtlil : str
        The design; its top module is :data:`TOP`.
    constraints : str
        Pins and clocks.
    platform : Platform
        Amaranth's platform: device, package, speed.
    """

    rtlil: str
    constraints: str
    platform: Any


def make_design(board: Board, config: Config, *, clock_hz: int, memory_bytes: int) -> Design:
    """Return a board's design.

    Equal arguments give equal texts. Names are plain, for Yosys lets some names that Amaranth
    gives (x$15, say, beside x) collide when ABC9 puts its result back, and stops with a failed
    assertion (YosysHQ/yosys issue 4349).

    Raises
    ------
    BoardError
        A clock that the board cannot make, or a memory that cannot be.
    """
    check_memory(memory_bytes, config)
    uart_divisor(clock_hz, board.baud)
    platform = board.platform()
    top = Top(board, config, clock_hz=clock_hz, memory_bytes=memory_bytes)
    files = platform.prepare(top, TOP, emit_src=False).files
    ending = FAMILIES[board.family].constraints
    text = files[f"{TOP}.il"]
    constraints = files[f"{TOP}.{ending}"]
    rtlil, kept = (t.decode() if isinstance(t, bytes) else t for t in (text, constraints))
    plain = plain_rtlil(rtlil, TOP, _ATTRIBUTES)
    return Design(rtlil=plain, constraints=kept, platform=platform)
