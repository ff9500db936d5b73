"""The program file: instructions, constants and the memory map, in one checked container.

The container is a safetensors file: a JSON header with a manifest, then plain arrays. Nothing in
it is executed when it is read, and everything is checked before it is used.
"""

import json
import tempfile
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .config import INSTRUCTION_BYTES, Config, ConfigError, parse_config
from .instructions import INDEX_BITS, Instruction, Opcode, Region, decode
from .layout import blocked_words, folded_pitch_words
from .manifest import ManifestError, read
from .program_parts import HostStep, Layer, Manifest, Place, Segment

__all__ = [
    "TILE_COLUMNS",
    "HostStep",
    "Layer",
    "Place",
    "Program",
    "ProgramError",
    "Segment",
    "load_program",
]

FORMAT = "shiftloom-program-1"

#: Largest file that is read: as much as the four regions can hold.
MAX_BYTES = 1 << 34

#: Columns of ``Program.tiles``.
TILE_COLUMNS = ("instruction", "tensor", "block", "y", "x", "transposed", "plane")


class ProgramError(ValueError):
    """A program file that cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A compiled network.

    Parameters
    ----------
    name : str
        The network's name.
    config : Config
        The accelerator it was compiled for.
    code : bytes
        Instructions of all segments, 32 bytes each.
    constants : bytes
        Contents of region 0: weights and parameters.
    region_bytes : tuple of int
        Sizes of the regions: constants, inputs, outputs, workspace.
    places : tuple of Place
        Feature maps in external memory: inputs, outputs, and what the host reads and writes.
    inputs, outputs : tuple of str
        Tensors of the network, in its order.
    steps : tuple of Segment or HostStep
        What happens in which order.
    layers : tuple of Layer
        Layer table.
    layer_of : int32 array
        For each instruction its layer, or -1.
    tensors : tuple of str
        Names that ``tiles`` refers to.
    tiles : int32 array
        For each VECTOR instruction, in order: its index among all instructions, the tensor it
        writes, channel block, row and column of its first word, and whether the job's rows run
        along the tensor's columns.
    graph : bytes
        The quantized graph it was compiled from, as ``quant.export`` writes it: the program can be
        verified, and its host nodes computed, without another file.
    """

    name: str
    config: Config
    code: bytes
    constants: bytes
    region_bytes: tuple[int, int, int, int]
    places: tuple[Place, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Segment | HostStep, ...]
    layers: tuple[Layer, ...]
    layer_of: NDArray[np.int32]
    tensors: tuple[str, ...]
    tiles: NDArray[np.int32]
    graph: bytes = b""

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """All instructions, decoded."""
        size = INSTRUCTION_BYTES
        return tuple(decode(self.code[k : k + size]) for k in range(0, len(self.code), size))

    @property
    def segments(self) -> tuple[Segment, ...]:
        """What the machine runs."""
        return tuple(step for step in self.steps if isinstance(step, Segment))

    def place(self, tensor: str) -> Place:
        """Return where a tensor lies in external memory.

        Raises
        ------
        KeyError
            It does not lie there.
        """
        for place in self.places:
            if place.tensor == tensor:
                return place
        raise KeyError(tensor)

    def to_bytes(self) -> bytes:
        """Return the program file's contents; equal programs give equal bytes."""
        own = {f.name: getattr(self, f.name) for f in fields(Manifest) if hasattr(self, f.name)}
        config = {"config": self.config.to_toml(), "config_id": self.config.id}
        manifest = Manifest(**{**own, **config, "format": FORMAT})
        arrays: dict[str, NDArray[Any]] = {
            "code": np.frombuffer(self.code, np.uint8),
            "constants": np.frombuffer(self.constants, np.uint8),
            "graph": np.frombuffer(self.graph, np.uint8),
            "layer_of": np.ascontiguousarray(self.layer_of, np.int32),
            "tiles": np.ascontiguousarray(self.tiles, np.int32),
        }
        # One entry only: the container writes several in an order that changes from run to run.
        return save(arrays, {"manifest": json.dumps(asdict(manifest))})

    def save(self, path: str | Path) -> None:
        """Write the program file, whole or not at all."""
        target, data = Path(path), self.to_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            temporary = Path(file.name)
        try:
            temporary.write_bytes(data)
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def load_program(path: str | Path) -> Program:
    """Read a program file.

    Raises
    ------
    ProgramError
        No such file, not a program, truncated, or parts that contradict each other.
    """
    try:
        return parse_program(_contents(Path(path)))
    except OSError as error:
        raise ProgramError(f"{path}: cannot be read: {error.strerror}") from error
    except ProgramError as error:
        raise ProgramError(f"{path}: {error}") from error


def _contents(path: Path) -> bytes:
    """Return what is in a file, unless it is none or too large."""
    if not path.is_file():
        raise ProgramError("no such file")
    if path.stat().st_size > MAX_BYTES:
        raise ProgramError(f"{path.stat().st_size} bytes are more than any program has")
    return path.read_bytes()


def parse_program(data: bytes) -> Program:
    """Return the program that a file's contents hold; raises :class:`ProgramError`."""
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        values = json.loads(metadata["manifest"])
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise ProgramError(f"not a Shiftloom program, or truncated: {error}") from error
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise ProgramError(f"not a Shiftloom program of format {FORMAT}: {found!r:.40}")
    try:
        program = _build(read(Manifest, values, "manifest"), arrays)
    except (ManifestError, ConfigError, RecursionError) as error:
        raise ProgramError(f"damaged: {error}") from error
    check(program)
    return program


def _build(manifest: Manifest, arrays: dict[str, NDArray[Any]]) -> Program:
    config = parse_config(manifest.config, "configuration of the program")
    if config.id != manifest.config_id:
        raise ConfigError(
            f"configuration {config.name} has id {config.id:#010x} here, "
            f"but {manifest.config_id:#010x} where the program was compiled; compile it again"
        )
    own = {f.name for f in fields(Program)} - {"config"}
    return Program(
        config=config,
        code=_array(arrays, "code", np.uint8, 1).tobytes(),
        constants=_array(arrays, "constants", np.uint8, 1).tobytes(),
        graph=_array(arrays, "graph", np.uint8, 1).tobytes(),
        layer_of=_array(arrays, "layer_of", np.int32, 1),
        tiles=_array(arrays, "tiles", np.int32, 2),
        **{name: value for name, value in vars(manifest).items() if name in own},
    )


def _array(arrays: dict[str, NDArray[Any]], name: str, kind: type, axes: int) -> NDArray[Any]:
    if name not in arrays:
        raise ManifestError(f"no array {name}")
    array = arrays[name]
    if array.dtype != kind or array.ndim != axes:
        raise ManifestError(f"{name} is {array.dtype} with {array.ndim} axes")
    return array


def _require(good: bool, message: str) -> None:
    if not good:
        raise ProgramError(f"damaged: {message}")


def check(program: Program) -> None:
    """Check that the parts of a program fit each other; raises :class:`ProgramError`."""
    count, rest = divmod(len(program.code), INSTRUCTION_BYTES)
    _require(not rest, f"code has {len(program.code)} bytes, not a multiple of {INSTRUCTION_BYTES}")
    sizes = program.region_bytes
    _require(all(0 <= size < 1 << 32 for size in sizes), f"region sizes {sizes}")
    _require(len(program.constants) <= sizes[0], "constants are larger than their region")
    _check_tables(program, count)
    for place in program.places:
        _check_place(place, program)
    known = {place.tensor for place in program.places}
    named = [n for s in program.segments for n in (*s.inputs, *s.outputs)]
    for name in (*program.inputs, *named):
        _require(name in known, f"{name} has no place in memory")
    for segment in program.segments:
        inside = segment.first >= 0 and 2 <= segment.count <= count - segment.first
        good = inside and segment.count < 1 << INDEX_BITS
        _require(good, f"segment {segment.first}+{segment.count} of {count} instructions")


def _check_tables(program: Program, count: int) -> None:
    """Check what instructions and tiles refer to."""
    layer_of, tiles = program.layer_of, program.tiles
    _require(len(layer_of) == count, "layer_of does not have one entry per instruction")
    layers = bool(np.all((layer_of >= -1) & (layer_of < len(program.layers))))
    _require(layers, "an instruction refers to a missing layer")
    _require(tiles.shape[1:] == (len(TILE_COLUMNS),), f"tiles of {tiles.shape}")
    _require(not tiles.size or tiles.min() >= 0, "a tile holds a negative number")
    _require(not tiles.size or tiles[:, 1].max() < len(program.tensors), "a tile without tensor")
    opcodes = np.frombuffer(program.code, np.uint8)[::INSTRUCTION_BYTES]
    vector = np.flatnonzero(opcodes == Opcode.VECTOR)
    _require(bool(np.isin(tiles[:, 0], vector).all()), "a tile refers to no VECTOR instruction")


def _check_place(place: Place, program: Program) -> None:
    """Check that a feature map lies inside its region."""
    what = f"{place.tensor} in region {place.region}"
    _require(place.region in list(Region), what)
    _require(min(place.shape) > 0, f"{what} of shape {place.shape}")
    _require(place.layout in ("blocked", "folded"), f"{what} of layout {place.layout}")
    channels, height, width = place.shape
    least, blocks = width, blocked_words((channels, 1, 1), program.config)
    _require(len(place.unroll) in (0, 4) and place.rows >= 0, f"{what} unrolled {place.unroll}")
    if place.unroll:
        fits = place.layout == "folded" and place.rows and min(place.unroll[:3]) > 0
        _require(bool(fits), f"{what} unrolled {place.unroll}")
        channels, height = channels * place.unroll[0], place.rows
    if place.layout == "folded":
        least, blocks = folded_pitch_words(channels, width, program.config), 1
    _require(least <= place.row_words < 1 << 20, f"{what} with rows of {place.row_words} words")
    words = blocks * height * place.row_words
    end = place.offset + words * program.config.word_bytes
    inside = place.offset >= 0 and end <= program.region_bytes[place.region]
    _require(inside, f"{what} ends at byte {end} of {program.region_bytes[place.region]}")
