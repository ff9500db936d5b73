"""The areas of the activation buffer: whole maps, bands of spilled ones, pieces of streams."""

from collections.abc import Sequence

from .items import Area, Item
from .ops import ArrayOp, Op, View
from .order import Plan
from .storage import External, Storage
from .tiling import Tile, blocks_of, map_blocks

__all__ = ["Areas", "set_lifetimes"]


class Areas:
    """Gives tiles the areas that they read and write; the same rows are the same area.

    Parameters
    ----------
    plans : sequence of Plan
        The operations.
    storage : Storage
        Where their maps live.

    Attributes
    ----------
    first_use : dict of Area to int
        The first unit of work that reads an area.
    origins : dict of Area to (int, External)
        Of areas that are loaded: for which operation first, and from where.
    """

    def __init__(self, plans: Sequence[Plan], storage: Storage) -> None:
        self.plans, self.storage = plans, storage
        self.config = storage.config
        self.first_use: dict[Area, int] = {}
        self.origins: dict[Area, tuple[int, External]] = {}
        self._wholes: dict[str, Area] = {}
        self._bands: dict[tuple[int | str, ...], Area] = {}

    def all(self) -> list[Area]:
        """Return every area."""
        return [*self._wholes.values(), *self._bands.values()]

    def input(self, position: int, tile: Tile, view: View, *, windowed: bool) -> Area:
        """Return where a tile reads a map from a unit of work on; all rows of windows if so."""
        op, storage = self.plans[tile.op].op, self.storage
        if view.map.name in storage.streams:
            area = self._piece(view, tile)
        elif not storage.spilled(view.map):
            area = self._whole(view)
        else:
            rows = (tile.y, tile.y + tile.rows)
            if windowed:
                rows = op.window.rows(tile.y, tile.rows, view.map.height)
            block, count = view.block, blocks_of(view, self.config)
            if not (windowed and isinstance(op, ArrayOp)):
                block, count = view.block + tile.group[0], tile.group[1]
            key = (tile.op, tile.band, view.map.name, block, count, *rows)
            if key not in self._bands:
                self._bands[key] = self._area(view, block, count, rows)
            area = self._bands[key]
        self.first_use.setdefault(area, position)
        spilled_or_input = storage.spilled(view.map) or any(
            edge.view.map.name == view.map.name for edge in storage.inputs
        )
        if spilled_or_input and area not in self.origins:
            self.origins[area] = (tile.op, storage.source(view.map))
        return area

    def output(self, tile: Tile, op: Op) -> Area:
        """Return where a tile of an operation is written."""
        if op.out.map.name in self.storage.streams:
            return self._piece(op.out, tile)
        if not self.storage.spilled(op.out.map):
            return self._whole(op.out)
        block, count = op.out.block + tile.group[0], tile.group[1]
        key = (tile.op, tile.band, op.out.map.name, block, "out")
        if key not in self._bands:
            rows = (tile.y, tile.y + tile.rows)
            self._bands[key] = self._area(op.out, block, count, rows)
        return self._bands[key]

    def _area(self, view: View, block: int, blocks: int, rows: tuple[int, int]) -> Area:
        return Area(
            name=view.map.name,
            block=block,
            blocks=blocks,
            y=rows[0],
            rows=rows[1] - rows[0],
            row_words=self.storage.row_words(view.map),
        )

    def _whole(self, view: View) -> Area:
        storage = view.map
        if storage.name not in self._wholes:
            blocks = 1 if storage.folded else -(-storage.channels // self.config.columns)
            self._wholes[storage.name] = self._area(view, 0, blocks, (0, storage.height))
        return self._wholes[storage.name]

    def _piece(self, view: View, tile: Tile) -> Area:
        """Return the piece of a stream that a tile makes or reads."""
        stream, name = self.storage.streams[view.map.name], view.map.name
        block, count = tile.block, 1
        if not stream.by_block:
            block, count = 0, map_blocks(view.map, self.config)
        key = (name, tile.chunk, block)
        if key not in self._bands:
            self._bands[key] = self._area(view, block, count, stream.rows[tile.chunk])
        return self._bands[key]


def set_lifetimes(items: Sequence[Item]) -> None:
    """Set first and last use of every area."""
    for position, item in enumerate(items):
        for name in ("area", "source", "residual", "out"):
            area = getattr(item, name, None)
            if isinstance(area, Area):
                area.begin = position if area.begin < 0 else area.begin
                area.end = position
