"""From work with addresses to instructions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..isa.config import Config
from ..isa.instructions import ENGINES, Buffer, Instruction, Opcode, VectorSource
from .fields import bit_loops, bit_work, check_fields, requantize
from .items import Area, Item, LoadArea, LoadSlot, Mac, Store, Vector
from .ops import PARTS, ArrayOp, VectorOp, View
from .order import Plan
from .storage import External

__all__ = ["Emitted", "emit"]

#: Most words of a run of one transfer.
MAX_RUN = 65535


@dataclass(frozen=True)
class Emitted:
    """An instruction, and the item it belongs to, if any."""

    instruction: Instruction
    item: Item | None


def emit(
    items: Sequence[Item], waits: Sequence[Sequence[int]], plans: Sequence[Plan], config: Config
) -> list[Emitted]:
    """Return the instructions of a segment; settings only where they change."""
    emitter = _Emitter(plans, config)
    out = [Emitted(Instruction(Opcode.CONFIG, {"config_id": config.id}), None)]
    settings: dict[Opcode, dict[str, int]] = {}
    for item, needed in zip(items, waits, strict=True):
        tokens = {f"wait_{e.name.lower()}": needed[e] for e in ENGINES}
        for opcode, fields in emitter.instructions(item):
            check_fields(plans[item.op].op, opcode, fields | tokens)
            if opcode in (Opcode.MAC_LOOPS, Opcode.VECTOR_LOOPS, Opcode.VECTOR_REQUANTIZE):
                if settings.get(opcode) == fields:
                    continue
                settings[opcode] = fields
                out.append(Emitted(Instruction(opcode, fields), item))
            else:
                out.append(Emitted(Instruction(opcode, {**fields, **tokens}), item))
    out.append(Emitted(Instruction(Opcode.END, {}), None))
    return out


Fields = tuple[Opcode, dict[str, int]]


class _Emitter:
    def __init__(self, plans: Sequence[Plan], config: Config) -> None:
        self.plans, self.config = plans, config

    def instructions(self, item: Item) -> Iterator[Fields]:
        """Yield opcodes and fields of an item: settings, then work."""
        if isinstance(item, Mac):
            return self._mac(item)
        if isinstance(item, Vector):
            return self._vector(item)
        if isinstance(item, LoadSlot):
            return self._load_slot(item)
        if isinstance(item, LoadArea):
            return self._load_area(item)
        assert isinstance(item, Store)
        return self._store(item)

    def _load_slot(self, item: LoadSlot) -> Iterator[Fields]:
        slot = item.slot
        yield (
            Opcode.LOAD,
            {
                "region": 0,
                "offset": slot.chunk.offset,
                "buffer": int(slot.buffer),
                "addr": slot.addr,
                "words": slot.chunk.words,
                "runs": 1,
            },
        )

    def _load_area(self, item: LoadArea) -> Iterator[Fields]:
        area = item.area
        fields = {
            **self._outside(item.source, area, area.block, area.y),
            "buffer": int(Buffer.ACTIVATION),
            "addr": area.addr,
            "words": area.block_words,
            "runs": area.blocks,
        }
        yield Opcode.LOAD, fields

    def _store(self, item: Store) -> Iterator[Fields]:
        area = item.area
        fields = {
            **self._outside(item.target, area, item.block, item.y),
            "addr": area.offset(item.block, item.y),
            "words": item.rows * area.row_words,
            "runs": item.blocks,
        }
        yield Opcode.STORE, fields

    def _outside(self, edge: External, area: Area, block: int, row: int) -> dict[str, int]:
        """Return where rows of an area lie in memory, and from block to block on either side."""
        pitch = edge.view.map.height * area.row_words
        first = (block - edge.view.block) * pitch + row * area.row_words
        return {
            "region": edge.region,
            "offset": edge.offset + first * self.config.word_bytes,
            "memory_pitch": pitch * self.config.word_bytes,
            "pitch": area.block_words,
        }

    def _mac(self, item: Mac) -> Iterator[Fields]:
        op, tile, piece = self.plans[item.op].op, item.job.tile, item.piece
        assert isinstance(op, ArrayOp)
        view, window, size = op.sources[piece.source].view, op.window, self.config.word_bytes
        row = item.area.row_words * size
        folded = view.map.folded
        pixel = view.map.channels if folded else 1  # positions per pixel
        step = pixel if folded else size  # bytes per pixel
        reach = self.config.rows if folded else item.area.block_words * size
        kernel_columns = 1 if folded else window.kernel[1]
        yield (
            Opcode.MAC_LOOPS,
            {
                "unsigned": int(not view.map.signed and piece.bits is None),
                "folded": int(folded),
                "blocks": piece.blocks,
                "groups": piece.groups,
                "kernel_rows": piece.kernel_rows,
                "kernel_columns": kernel_columns,
                "columns": tile.columns,
                "block_stride": reach,
                "kernel_row_stride": window.dilation[0] * row,
                "kernel_column_stride": 0 if folded else window.dilation[1] * step,
                "row_stride": window.stride[0] * row,
                "column_stride": window.stride[1] * step,
                "kernel_row_y": window.dilation[0],
                "kernel_column_x": 0 if folded else window.dilation[1],
                "row_y": window.stride[0],
                "column_x": window.stride[1] * pixel,
                "block_x": self.config.rows if folded else 0,
                "height": view.map.height,
                "width": view.map.width * pixel,
                **bit_loops(piece),
            },
        )
        y = tile.y * window.stride[0] + window.origin[0] + piece.kernel_row * window.dilation[0]
        x = (tile.x * window.stride[1] + window.origin[1]) * pixel
        block = 0 if folded else view.block + piece.block
        addr = item.area.offset(block, y) * size + x * (1 if folded else size)
        if folded:
            addr += piece.block * self.config.rows
            x += piece.block * self.config.rows
        yield (
            Opcode.MAC,
            {
                "accumulate": int(item.accumulate),
                "half": item.job.half,
                "pixel": 0,
                "rows": tile.rows,
                "addr": addr + piece.group * self.config.rows,
                "y": y,
                "x": x,
                "weight_addr": item.slot.addr + item.word,
                **bit_work(piece),
            },
        )

    def _vector(self, item: Vector) -> Iterator[Fields]:
        plan, tile = self.plans[item.op], item.job.tile
        op, area = plan.op, item.out
        turned = plan.walk is not None and plan.walk.turned
        write = {
            "write_row_stride": 1 if turned else area.row_words,
            "write_stride": area.row_words if turned else 1,
        }
        work = {
            "parameter_addr": item.slot.addr // 8 + item.word,
            "write_addr": area.at(op.written(tile.block, item.plane), tile.y, tile.x),
        }
        packed = {}
        if op.out.map.planes:
            work["part"] = tile.block % PARTS
            packed = {"pack": 1, "plane": item.plane}
        if op.thresholds:  # behind the parameter word and its taps
            steps = plan.walk.steps if plan.walk else 0
            work["threshold_addr"] = work["parameter_addr"] + 1 + steps
        residual = {}
        if item.residual is not None and op.residual:
            words = item.residual.row_words
            block = op.residual.view.block + tile.block
            work["residual_addr"] = item.residual.at(block, tile.y, tile.x)
            residual = {
                "residual": 1,
                "residual_unsigned": int(not op.residual.view.map.signed),
                "residual_shift": op.residual.shift,
                "residual_row_stride": 1 if turned else words,
                "residual_stride": words if turned else 1,
            }
        if item.source is None:
            loops = {"source": int(VectorSource.ACCUMULATOR), "columns": tile.columns}
            loops |= {"kernel_rows": 1, "kernel_columns": 1, "emit_period": 1}
            work |= {"half": item.job.half, "pixel": 0, "rows": tile.rows}
        else:
            loops, start = self._window(item, plan)
            work |= start
        yield Opcode.VECTOR_LOOPS, {**loops, **write}
        yield Opcode.VECTOR_REQUANTIZE, {**requantize(op), **residual, **packed}
        yield Opcode.VECTOR, work

    def _window(self, item: Vector, plan: Plan) -> tuple[dict[str, int], dict[str, int]]:
        """Return the loops over taps and where they start."""
        op, walk, tile, area = plan.op, plan.walk, item.job.tile, item.source
        assert isinstance(op, VectorOp) and walk is not None and area is not None
        view: View = op.source
        window = walk.window
        y = tile.y * op.window.stride[0] + op.window.origin[0]
        x = tile.x * op.window.stride[1] + op.window.origin[1]
        y -= walk.early if walk.turned else 0
        x -= 0 if walk.turned else walk.early
        addr = area.at(view.block + tile.block, y, x)
        sizes, strides = (view.map.height, view.map.width), (area.row_words, 1)
        counts, position = (tile.rows, tile.columns), (y, x)
        if walk.turned:
            sizes, strides, counts, position = (
                pair[::-1] for pair in (sizes, strides, counts, position)
            )
        column = 1 if walk.reach > 1 else window.stride[1]
        group = walk.reach if walk.reach > 1 else window.dilation[1]
        loops = {
            "source": int(VectorSource.ACTIVATION),
            "operation": int(op.operation),
            "unsigned": int(not view.map.signed),
            "columns": walk.columns(counts[1]),
            "kernel_rows": window.kernel[0],
            "kernel_columns": walk.groups,
            "row_stride": window.stride[0] * strides[0],
            "column_stride": column * strides[1],
            "kernel_row_stride": window.dilation[0] * strides[0],
            "kernel_column_stride": group * strides[1],
            "row_y": window.stride[0],
            "column_x": column,
            "kernel_row_y": window.dilation[0],
            "kernel_column_x": group,
            "height": sizes[0],
            "width": sizes[1],
            "emit_first": walk.emit_first,
            "emit_period": walk.emit_period,
        }
        return loops, {"rows": counts[0], "addr": addr, "y": position[0], "x": position[1]}
