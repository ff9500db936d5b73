"""PYNQ-Z2 with a Zynq-7020: two ARM cores, 512 MB, 53,200 LUTs, 220 multipliers."""

from .ip.vivado import VivadoBoard

__all__ = ["board"]


def board() -> VivadoBoard:
    """Return the board."""
    return VivadoBoard(
        name="pynq_z2",
        title="PYNQ-Z2, Xilinx XC7Z020",
        part="xc7z020clg400-1",
        board_part="tul.com.tw:pynq-z2:part0:1.0",
        clock_mhz=50,
        design="pynq_z2.tcl",
        luts=53_200,
        flip_flops=106_400,
        dsps=220,
        block_rams=140,
    )
