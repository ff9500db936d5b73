"""Memories that become block RAM."""

from amaranth.hdl import MemoryData
from amaranth.lib import memory

__all__ = ["storage"]


def storage(contents: MemoryData) -> memory.Memory:
    """Return a memory of which no word is read in the cycle in which it is written.

    Synthesis may therefore leave out logic that would decide what such a read gives; Yosys and
    Quartus know the attribute, others ignore it.
    """
    return memory.Memory(contents, attrs={"no_rw_check": 1})
