"""From a quantized network to a program."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import Instruction, Opcode, encode
from ..isa.program import TILE_COLUMNS, HostStep, Layer, Place, Program, Segment
from ..isa.reach import address_bits, index_bits, longest_side
from ..quant.blob import graph_to_bytes
from ..quant.graph import QuantGraph
from .audit import audit
from .constants import Constants
from .emit import Emitted, emit
from .errors import CompileError
from .hazards import waits
from .items import Vector
from .listing import list_items, list_ops, list_order, list_parts
from .lower import lower
from .ops import ArrayOp, Map, Op, View
from .plan import Planned, plan_segment
from .segments import Part, parts_of
from .storage import External, Storage
from .tuning import Tuning

__all__ = ["compile_graph"]

#: Called with the name of a stage and its listing.
Dump = Callable[[str, str], None]

#: Called with the parts that are compiled and their number.
Progress = Callable[[int, int], None]

#: Channels that instructions can say.
_MAX_CHANNELS = (1 << 16) - 1


def compile_graph(
    graph: QuantGraph,
    config: Config,
    *,
    dump: Dump | None = None,
    progress: Progress | None = None,
    tuning: Tuning | None = None,
) -> Program:
    """Compile a quantized network for a configuration.

    Parameters
    ----------
    graph : QuantGraph
        The network.
    config : Config
        The accelerator.
    dump : function, optional
        Gets every stage's name and listing.
    progress : function, optional
        Gets parts done and parts in all.
    tuning : Tuning, optional
        Choices of schedule and memory.

    Raises
    ------
    CompileError
        A layer cannot run or cannot fit; the message names it.
    """
    compiler = _Compiler(graph, config, dump or (lambda stage, text: None), tuning or Tuning())
    parts = parts_of(graph)
    compiler.dump("parts", list_parts(parts))
    for index, part in enumerate(parts):
        if progress:
            progress(index, len(parts))
        compiler.part(index, part)
    if progress:
        progress(len(parts), len(parts))
    return compiler.program()


@dataclass
class _Compiler:
    graph: QuantGraph
    config: Config
    dump: Dump
    tuning: Tuning
    code: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    places: dict[str, Place] = field(default_factory=dict)
    steps: list[Segment | HostStep] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    layer_of: list[int] = field(default_factory=list)
    tensors: dict[str, int] = field(default_factory=dict)
    tiles: list[tuple[int, ...]] = field(default_factory=list)
    segments: list[list[Instruction]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.constants = Constants(self.config)
        limit = longest_side(self.config)
        for name, tensor in self.graph.tensors.items():
            channels, height, width = tensor.shape
            if max(height, width) > limit or channels > _MAX_CHANNELS:
                raise CompileError(
                    f"{name}: a feature map of {channels}x{height}x{width} is too large; "
                    f"rows and columns can be at most {limit}"
                )

    def reserve(self, region: int, size: int) -> int:
        """Return the aligned offset of new bytes in a region."""
        offset = self.sizes[region]
        self.sizes[region] += size + -size % self.config.align_bytes
        return offset

    def part(self, index: int, part: Part) -> None:
        """Compile a part of the network."""
        if part.host:
            self.steps += [HostStep(node=node.name) for node in part.nodes]
            self._host_places(part)
            return
        ops, views = lower(self.graph, part.nodes, self.config, part.inputs, part.outputs)
        storage = Storage(self.config, (), (), tuning=self.tuning)
        storage.inputs = tuple(_external(n, views[n]) for n in part.inputs)
        storage.outputs = tuple(_external(n, views[n]) for n in part.outputs)
        storage.inputs = tuple(self._place(e, storage) for e in storage.inputs)
        storage.outputs = tuple(self._place(e, storage) for e in storage.outputs)
        self.dump(f"part{index}.ops", list_ops(ops))
        planned = plan_segment(ops, storage, self.constants, lambda size: self.reserve(3, size))
        self.dump(f"part{index}.order", list_order(planned))
        needed = waits(planned.items, planned.plans, self.config)
        emitted = emit(planned.items, needed, planned.plans, self.config)
        self.dump(f"part{index}.program", list_items(emitted))
        self.segments.append([entry.instruction for entry in emitted])
        self._append(part, planned, emitted)

    def _host_places(self, part: Part) -> None:
        """Give codes that the host reads or makes a place in memory."""
        for name in (*part.inputs, *part.outputs):
            tensor = self.graph.tensors.get(name)
            if tensor is not None and name not in self.places:
                storage = Storage(self.config, (), ())
                view = _plain_view(name, self.graph)
                storage.inputs = (_external(name, view),)
                self._place(storage.inputs[0], storage)

    def _place(self, edge: External, storage: Storage) -> External:
        """Return an edge with its place in memory, which is new unless it is known."""
        name = edge.tensor
        if name not in self.places:
            region = 1 if name in self.graph.inputs else 2 if name in self.graph.outputs else 3
            tensor = self.graph.tensors[name]
            self.places[name] = Place(
                tensor=name,
                region=region,
                offset=self.reserve(region, storage.map_bytes(edge.view)),
                shape=tensor.shape,
                layout="folded" if edge.view.map.folded else "blocked",
                signed=tensor.signed,
                row_words=storage.row_words(edge.view.map),
                unroll=edge.view.map.unroll,
                rows=edge.view.map.height if edge.view.map.unroll else 0,
            )
        place = self.places[name]
        if place.row_words != storage.row_words(edge.view.map):
            raise AssertionError(f"{name} has rows of two lengths")
        return External(tensor=name, view=edge.view, region=place.region, offset=place.offset)

    def _append(self, part: Part, planned: Planned, emitted: list[Emitted]) -> None:
        first, base = len(self.layer_of), len(self.layers)
        self.layers += [_layer(plan.op) for plan in planned.plans]
        for offset, entry in enumerate(emitted):
            self.code.append(encode(entry.instruction))
            self.layer_of.append(-1 if entry.item is None else base + entry.item.op)
            if entry.instruction.opcode is Opcode.VECTOR and isinstance(entry.item, Vector):
                self.tiles.append((first + offset, *self._tile(entry.item, planned)))
        bits = index_bits(self.config)
        if len(emitted) >= 1 << bits:
            raise CompileError(
                f"{len(emitted)} instructions are too many for one segment; {1 << bits} are"
            )
        inputs, outputs = tuple(part.inputs), tuple(part.outputs)
        self.steps.append(Segment(first=first, count=len(emitted), inputs=inputs, outputs=outputs))

    def _tile(self, item: Vector, planned: Planned) -> tuple[int, ...]:
        plan, tile = planned.plans[item.op], item.job.tile
        tensor = self.tensors.setdefault(plan.op.tensor, len(self.tensors))
        turned = int(plan.walk is not None and plan.walk.turned)
        plane = 1 + item.plane if plan.op.out.map.planes else 0
        return tensor, tile.block, tile.y, tile.x, turned, plane

    def program(self) -> Program:
        """Return everything as a program."""
        self.sizes[0] = self.constants.size
        for name in self.graph.inputs:
            if name not in self.places:
                raise CompileError(f"{name}: an input that no layer reads")
        reached = 1 << address_bits(self.config)
        needed = sum(self.sizes) + len(self.code) * INSTRUCTION_BYTES
        if self.config.serial and needed > reached:
            raise CompileError(
                f"constants and feature maps of {sum(self.sizes)} bytes are too many: "
                f"{self.config.name} reaches {reached} bytes of memory, instructions included"
            )
        if max(self.sizes) >= reached:
            raise CompileError(f"a memory region needs {max(self.sizes)} bytes, beyond 4 GiB")
        for instructions in self.segments:
            audit(instructions, self.config, self.sizes)
        tiles: NDArray[np.int32] = np.array(self.tiles, np.int32).reshape(-1, len(TILE_COLUMNS))
        code = b"".join(self.code)
        assert len(code) == INSTRUCTION_BYTES * len(self.layer_of)
        first, second, third, fourth = self.sizes
        return Program(
            name=self.graph.name,
            config=self.config,
            code=code,
            constants=self.constants.to_bytes(),
            region_bytes=(first, second, third, fourth),
            places=tuple(self.places.values()),
            inputs=self.graph.inputs,
            outputs=self.graph.outputs,
            steps=tuple(self.steps),
            layers=tuple(self.layers),
            layer_of=np.array(self.layer_of, np.int32),
            tensors=tuple(self.tensors),
            tiles=tiles,
            graph=graph_to_bytes(self.graph),
        )


def _external(name: str, view: View) -> External:
    return External(tensor=name, view=view, region=0, offset=0)


def _plain_view(name: str, graph: QuantGraph) -> View:
    tensor = graph.tensors[name]
    channels, height, width = tensor.shape
    storage = Map(name=name, channels=channels, height=height, width=width, signed=tensor.signed)
    return View(map=storage, block=0, channels=channels)


def _layer(op: Op) -> Layer:
    engine = "vector"
    if isinstance(op, ArrayOp):
        engine = "bits" if any(source.bits for source in op.sources) else "array"
    return Layer(
        name=op.name,
        operator=op.operator,
        engine=engine,
        output=op.tensor,
        macs=op.macs,
        choice=op.choice,
    )
