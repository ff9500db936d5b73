"""iCEBreaker with an iCE40UP5K: 5,280 logic cells, 8 multipliers, 128 KiB of single-port memory."""

from .board import Board

__all__ = ["board"]


def _platform():
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    class Platform(ICEBreakerPlatform):
        family = "ice40"  # which cells blocks may instantiate

    return Platform()


def board() -> Board:
    """Return the board."""
    return Board(
        name="icebreaker",
        title="iCEBreaker, Lattice iCE40UP5K",
        family="ice40",
        platform=_platform,
        oscillator="clk12",
        oscillator_hz=12_000_000,
        clock_hz=30_000_000,
        baud=1_000_000,
        memory_bytes=65_536,
        loader="openFPGALoader -b ice40_generic {}",
    )
