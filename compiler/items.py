"""What the engines do, in order: work with the memory it touches, before it has addresses."""

from dataclasses import dataclass, field

from ..isa.instructions import Buffer, Engine
from .constants import Chunk
from .order import Job
from .storage import External
from .weights import Piece

__all__ = ["Area", "Item", "LoadArea", "LoadSlot", "Mac", "Slot", "Store", "Vector"]


@dataclass(eq=False, kw_only=True)
class Area:
    """Part of the activation buffer: rows and blocks of one map.

    ``begin`` and ``end`` are the first and last item that uses it; ``addr`` its first word, once
    it is allocated.
    """

    name: str
    block: int
    blocks: int
    y: int
    rows: int
    row_words: int
    addr: int = -1
    begin: int = -1
    end: int = -1

    @property
    def block_words(self) -> int:
        """Words from one block to the next."""
        return self.rows * self.row_words

    @property
    def words(self) -> int:
        """Words in all."""
        return self.blocks * self.block_words

    def at(self, block: int, y: int, x: int) -> int:
        """Return the word address of a pixel of one of the map's blocks."""
        return self.offset(block, y) + x

    def offset(self, block: int, y: int) -> int:
        """Return the word address of a row, which may lie outside."""
        return self.addr + (block - self.block) * self.block_words + (y - self.y) * self.row_words


@dataclass(eq=False, kw_only=True)
class Slot:
    """Part of the weight or parameter buffer that one LOAD fills.

    The first and last unit of work that use it are known before its address is.
    """

    op: int
    buffer: Buffer
    chunk: Chunk
    first: int
    last: int
    addr: int = -1


@dataclass(eq=False, kw_only=True)
class Item:
    """Work of one engine."""

    engine: Engine
    op: int


@dataclass(eq=False, kw_only=True)
class Mac(Item):
    """A piece of a tile's reduction."""

    job: Job
    piece: Piece
    slot: Slot
    word: int
    area: Area
    accumulate: bool
    engine: Engine = field(default=Engine.MAC, init=False)


@dataclass(eq=False, kw_only=True)
class Vector(Item):
    """A drain (no ``source``) or a window of taps; of codes stored as planes, one ``plane``."""

    job: Job
    slot: Slot
    word: int
    source: Area | None
    residual: Area | None
    out: Area
    plane: int = 0
    engine: Engine = field(default=Engine.VECTOR, init=False)


@dataclass(eq=False, kw_only=True)
class LoadSlot(Item):
    """Weights or parameters."""

    slot: Slot
    engine: Engine = field(default=Engine.LOAD, init=False)


@dataclass(eq=False, kw_only=True)
class LoadArea(Item):
    """Rows of a map."""

    area: Area
    source: External
    engine: Engine = field(default=Engine.LOAD, init=False)


@dataclass(eq=False, kw_only=True)
class Store(Item):
    """Rows and blocks of a map."""

    area: Area
    target: External
    block: int
    blocks: int
    y: int
    rows: int
    engine: Engine = field(default=Engine.STORE, init=False)
