"""ULX3S with an ECP5-85F: 84,000 LUTs, 156 multipliers, 208 block RAMs."""

from .board import Board
from .multiplier_sites import place_multipliers

__all__ = ["board"]


def _platform():
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


def board() -> Board:
    """Return the board."""
    return Board(
        name="ulx3s",
        title="ULX3S, Lattice LFE5U-85F",
        family="ecp5",
        platform=_platform,
        oscillator="clk25",
        oscillator_hz=25_000_000,
        clock_hz=100_000_000,
        baud=1_000_000,
        memory_bytes=131_072,
        loader="openFPGALoader -b ulx3s {}",
        finish=(place_multipliers,),
    )
