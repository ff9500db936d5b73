"""Readable listings of what each stage of the compiler decided."""

from collections.abc import Sequence

from .emit import Emitted
from .ops import ArrayOp, Op, View
from .plan import Planned
from .segments import Part

__all__ = ["list_items", "list_ops", "list_order", "list_parts"]


def list_parts(parts: Sequence[Part]) -> str:
    """Return what runs where."""
    lines = []
    for index, part in enumerate(parts):
        where = "host" if part.host else "machine"
        lines.append(f"part {index} on the {where}: {_names(part.inputs, part.outputs)}")
        lines += [f"    {type(node).__name__:<12} {node.name}" for node in part.nodes]
    return "\n".join(lines) + "\n"


def _names(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    return f"{', '.join(inputs)} -> {', '.join(outputs)}"


def _view(view: View) -> str:
    storage = view.map
    size = f"{view.channels}x{storage.height}x{storage.width}"
    place = f"+{view.block}" if view.block else ""
    return f"{storage.name}{place}[{size}{' folded' if storage.folded else ''}]"


def list_ops(ops: Sequence[Op]) -> str:
    """Return the operations with their engine and views."""
    lines = []
    for index, op in enumerate(ops):
        engine = "array" if isinstance(op, ArrayOp) else "vector"
        reads = [_view(view) for _, view in op.inputs]
        if op.residual:
            reads.append(f"residual {_view(op.residual.view)} << {op.residual.shift}")
        if op.thresholds:
            reads.append(f"{op.thresholds.values.shape[1]} thresholds")
        lines.append(
            f"{index:4} {engine:<6} {op.operator:<24} {op.name}: "
            f"{', '.join(reads)} -> {_view(op.out)}"
        )
    return "\n".join(lines) + "\n"


def list_order(planned: Planned) -> str:
    """Return tiles with their estimated start, and where maps lie."""
    lines = ["# tiling: bands x parts, weights that stay"]
    for index, plan in enumerate(planned.plans):
        tiling = plan.tiling
        walk = f" walk {'columns' if plan.walk.turned else 'rows'}" if plan.walk else ""
        stays = " resident" if plan.constants.resident else ""
        bands = f"{len(tiling.bands)} bands of {tiling.bands[0][1]} rows"
        lines.append(f"{index:4} {bands}, {len(tiling.parts)} parts{stays}{walk}  {plan.op.name}")
    lines.append("# activation buffer: words, address, items")
    for area in sorted(planned.areas, key=lambda a: (a.begin, a.addr)):
        rows = f"rows {area.y}+{area.rows} blocks {area.block}+{area.blocks}"
        lines.append(f"{area.addr:7}+{area.words:<6} {area.begin}…{area.end} {rows} {area.name}")
    lines.append("# jobs: estimated start, engine, operation, tile")
    for job in planned.jobs:
        tile = job.tile
        where = f"block {tile.block} rows {tile.y}+{tile.rows} columns {tile.x}+{tile.columns}"
        lines.append(f"{job.start:9} {job.engine.name:<6} {tile.op:4} {where}")
    return "\n".join(lines) + "\n"


def list_items(emitted: Sequence[Emitted]) -> str:
    """Return instructions with the operation they belong to."""
    lines = []
    for index, entry in enumerate(emitted):
        op = "" if entry.item is None else str(entry.item.op)
        lines.append(f"{index:6} {op:>4} {entry.instruction}")
    return "\n".join(lines) + "\n"
