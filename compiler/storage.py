"""Where maps live: on the chip, or in external memory and on the chip band by band."""

from dataclasses import dataclass, field

from ..isa.config import Config
from ..isa.layout import folded_pitch_words
from .ops import Map, View

__all__ = ["External", "Rows", "Storage", "Stream"]

#: First row, and the one behind the last.
Rows = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class External:
    """A tensor's copy in external memory.

    ``view`` says which part of which map it is; ``region`` and ``offset`` where it begins.
    """

    tensor: str
    view: View
    region: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class Stream:
    """How a map passes from its maker to its reader.

    Parameters
    ----------
    rows : tuple of Rows
        What an area holds, chunk by chunk.
    by_block : bool
        An area holds one block; otherwise all.
    depth : int
        Areas that may be in use together.
    """

    rows: tuple[Rows, ...]
    by_block: bool
    depth: int


@dataclass
class Storage:
    """Residency of the maps of a segment.

    Parameters
    ----------
    config : Config
        Sizes.
    inputs : tuple of External
        There before the segment starts.
    outputs : tuple of External
        There after it.
    spills : dict of str to int
        Maps that do not stay on the chip, with their offset in the workspace region.
    streams : dict of str to Stream
        Maps that are on the chip only in pieces, and never leave it.
    windowed : set of str
        Maps whose kernel rows the vector unit reads one after the other.
    """

    config: Config
    inputs: tuple[External, ...]
    outputs: tuple[External, ...]
    spills: dict[str, int] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    windowed: set[str] = field(default_factory=set)

    def spilled(self, storage: Map) -> bool:
        """Return whether a map is on the chip only band by band."""
        return storage.name in self.spills

    def external(self, storage: Map) -> bool:
        """Return whether rows of a map move between chip and external memory."""
        edges = (*self.inputs, *self.outputs)
        return self.spilled(storage) or any(e.view.map.name == storage.name for e in edges)

    def source(self, storage: Map) -> External:
        """Return the whole copy of a map in external memory."""
        for edge in (*self.inputs, *self.outputs):
            if edge.view.map.name == storage.name and edge.view.channels == storage.channels:
                return edge
        view = View(map=storage, block=0, channels=storage.channels)
        return External(tensor=storage.name, view=view, region=3, offset=self.spills[storage.name])

    def row_words(self, storage: Map) -> int:
        """Return the words from one row of a map to the next, on and off the chip."""
        config = self.config
        words = storage.width
        if storage.folded:
            words = folded_pitch_words(storage.channels, storage.width, config)
        if not self.external(storage):
            # Words below each other lie in neighbouring banks, and those that the array takes in
            # order do not keep meeting them.
            skew = (1 - words) % config.activation_banks
            return words + (skew if storage.name in self.windowed else 0)
        unit = config.align_bytes // config.word_bytes
        return -(-words // unit) * unit

    def map_bytes(self, view: View) -> int:
        """Return the bytes of a view in external memory."""
        blocks = 1 if view.map.folded else view.blocks(self.config.columns)
        return blocks * view.map.height * self.row_words(view.map) * self.config.word_bytes
