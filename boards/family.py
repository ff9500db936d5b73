"""Family: how the chips of one kind are built for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from .flat_module import FlatModule, Step
from .tools import Tool

__all__ = ["Family"]


def _none(module: FlatModule) -> str:
    return ""


def _as_asked(clock_hz: int) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of chips, and the tools that build for it.

    Parameters
    ----------
    name : str
        As in :class:`~shiftloom.boards.board.Board`.
    synthesis : str
        Yosys commands that map a design to its cells; the last takes ``-top``.
    placer, packer : Tool
        Place-and-route, and what makes a bitstream.
    constraints : str
        Ending of the file in which Amaranth's platform puts pins and clocks.
    aim : callable
        From the clock in hertz to what is added to that file: to ask for a faster clock than the
        loop's, for placers stop where they believe to have enough.
    place : callable
        From the platform, the frequency to aim at in hertz and the seed to the placer's arguments;
        it reads ``top.json`` and writes ``top.config`` and ``report.json``.
    pack : sequence of str
        The packer's arguments, from ``top.config`` to the bitstream.
    bitstream : str
        The file that it makes; loaders know formats by its ending.
    make_clock : callable
        Adds the domain ``sync``: module, port of the oscillator, its frequency, the domain's.
    kinds : mapping of str to str
        What a cell counts as: ``LUT``, ``FF``, ``DSP`` or ``memory``.
    weights : mapping of str to int
        How many it counts as, where that is not one.
    memory_bits : mapping of str to int
        Data bits of memory cells.
    maps : tuple of str
        Files of this package that ``synthesis`` reads.
    shortage : callable
        Returns of which cells a design needs more than there are, from its netlist; empty
        where it may fit. Placers find out late or never.
    untimed : str
        Cells whose delays the tools do not know, if there are any: no path through them counts
        towards the clock.
    finish : tuple of callable
        Each changes the flat netlist before it is placed, whatever the chip.
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
    bitstream: str
    make_clock: Callable[[Any, Any, int, int], None]
    kinds: Mapping[str, str]
    weights: Mapping[str, int]
    memory_bits: Mapping[str, int]
    models: tuple[str, ...]
    our_models: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    untimed: str = ""
    aim: Callable[[int], str] = _as_asked
    finish: tuple[Step, ...] = ()
    shortage: Callable[[FlatModule], str] = _none

    @property
    def map_texts(self) -> dict[str, str]:
        """What the files that ``synthesis`` reads hold, by name."""
        folder = resources.files(__package__ or "")
        return {name: (folder / name).read_text(encoding="utf-8") for name in self.maps}
