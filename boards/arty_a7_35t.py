"""Arty A7-35T with an Artix-7: 256 MB, 20,800 LUTs, 90 multipliers; the host sits behind JTAG."""

from .ip.vivado import VivadoBoard

__all__ = ["board"]


def board() -> VivadoBoard:
    """Return the board."""
    return VivadoBoard(
        name="arty_a7_35t",
        title="Arty A7-35T, Xilinx XC7A35T",
        part="xc7a35ticsg324-1L",
        board_part="digilentinc.com:arty-a7-35:part0:1.1",
        clock_mhz=50,
        design="arty_a7.tcl",
        constraints="arty_a7.xdc",
        luts=20_800,
        flip_flops=41_600,
        dsps=90,
        block_rams=50,
    )
