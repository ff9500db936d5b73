"""Family: how the chips of one kind are built for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .tools import Tool

__all__ = ["Family"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of chips, and the tools that build for it.

    Parameters
    ----------
    name : str
        As in :class:`~shiftloom.boards.board.Board`.
    synthesis : str
        Yosys command that maps a flat design to its cells.
    placer, packer : Tool
        Place-and-route, and what makes a bitstream.
    constraints : str
        Ending of the file in which Amaranth's platform puts pins and clocks.
    place : callable
        From the platform, the frequency to aim at in hertz and the seed to the placer's arguments;
        it reads ``top.json`` and writes ``top.config`` and ``report.json``.
    pack : sequence of str
        The packer's arguments, from ``top.config`` to ``top.bit``.
    make_clock : callable
        Adds the domain ``sync``: module, port of the oscillator, its frequency, the domain's.
    kinds : mapping of str to str
        What a cell counts as: ``LUT``, ``FF``, ``DSP`` or ``memory``.
    weights : mapping of str to int
        How many it counts as, where that is not one.
    memory_bits : mapping of str to int
        Data bits of memory cells.
    models, our_models : tuple of str
        Simulation models of the cells: files that come with Yosys, and files of this package.
    """

    name: str
    synthesis: str
    placer: Tool
    packer: Tool
    constraints: str
    place: Callable[[Any, int, int], Sequence[str]]
    pack: Sequence[str]
    make_clock: Callable[[Any, Any, int, int], None]
    kinds: Mapping[str, str]
    weights: Mapping[str, int]
    memory_bits: Mapping[str, int]
    models: tuple[str, ...]
    our_models: tuple[str, ...] = ()
