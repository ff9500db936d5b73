"""The first difference between two levels, located by layer, tile and element."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.program import Program
from ..quant.graph import TensorType
from ..sim import compare
from ..sim.compare import first_difference
from ..sim.result import Run

__all__ = ["Difference", "compare_outputs", "compare_tensors", "compare_writes"]

Array = NDArray[Any]
Levels = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two values that should be one.

    Parameters
    ----------
    levels : tuple of str
        What is compared: the level that is right, and the other.
    layer, tensor : str
        Where.
    place : str
        Tile and element, in words.
    expected, actual : float
        What the two levels say.
    count : int
        Differing values in this tensor; zero where only the first is known.
    sample : int
        Which sample, from zero.
    """

    levels: Levels
    layer: str
    tensor: str
    place: str
    expected: float
    actual: float
    count: int = 0
    sample: int = 0

    def at(self, sample: int) -> "Difference":
        """Return the same difference, found in a certain sample."""
        return replace(self, sample=sample)

    def __str__(self) -> str:
        where = f"sample {self.sample}: layer {self.layer}, tensor {self.tensor}, {self.place}"
        more = f" ({self.count} values of this tensor differ)" if self.count > 1 else ""
        says = " and ".join(
            f"{level} says {value:g}"
            for level, value in zip(self.levels, (self.expected, self.actual), strict=True)
        )
        return f"{where}: {says}{more}"


def compare_tensors(
    program: Program, levels: Levels, expected: Mapping[str, Array], actual: Mapping[str, Array]
) -> Difference | None:
    """Return the first difference of feature maps, in the order of the network."""
    for name, right in expected.items():
        if name in actual and not np.array_equal(right, actual[name]):
            return _locate(program, levels, name, expected=right, actual=actual[name])
    return None


def compare_outputs(
    program: Program, levels: Levels, expected: Mapping[str, Array], actual: Mapping[str, Array]
) -> Difference | None:
    """Return the first difference of outputs in memory."""
    for name, values in actual.items():
        if not np.array_equal(expected[name], values):
            right = expected[name]
            return _locate(program, levels, name, expected=right, actual=values, where="in memory")
    return None


def compare_writes(
    program: Program,
    expected: Sequence[Run],
    actual: Sequence[Run],
    tensors: Mapping[str, TensorType],
) -> Difference | None:
    """Return the first difference of what two engines wrote, in order."""
    for segment, right, other in zip(program.segments, expected, actual, strict=True):
        found = first_difference(program, segment, right, other)
        if found is not None:
            return _translate(found, tensors)
    return None


def _translate(found: compare.Difference, tensors: Mapping[str, TensorType]) -> Difference:
    """Say in words what is known about a word that was written differently."""
    name = found.tensor or "none"
    signed = name in tensors and tensors[name].signed and found.what == "value"
    values = [-1 if v is None else v for v in (found.expected, found.actual)]
    first, second = (v - 256 if signed and v > 127 else v for v in values)
    text = " ".join(found.text.split())
    element = f"channel {found.channel}, row {found.y}, column {found.x}"
    return Difference(
        levels=("golden program", "rtl"),
        layer=found.layer or "none",
        tensor=name,
        place=f"{found.what} of word {found.write} written by {text}, element {element}",
        expected=first,
        actual=second,
    )


def _locate(
    program: Program,
    levels: Levels,
    name: str,
    *,
    expected: Array,
    actual: Array,
    where: str = "",
) -> Difference:
    layer = next((layer.name for layer in program.layers if layer.output == name), name)
    if expected.shape != actual.shape:
        place = f"shape {actual.shape} instead of {expected.shape}"
        sizes = {"expected": expected.size, "actual": actual.size}
        return Difference(levels=levels, layer=layer, tensor=name, place=place, **sizes)
    unequal = expected != actual
    first = tuple(int(i) for i in np.argwhere(unequal)[0])
    return Difference(
        levels=levels,
        layer=layer,
        tensor=name,
        place=f"{where or _tile(program, name, first)}, element {_element(first)}",
        expected=float(expected[first]),
        actual=float(actual[first]),
        count=int(unequal.sum()),
    )


def _element(index: tuple[int, ...]) -> str:
    if len(index) != 3:
        return str(list(index))
    channel, row, column = index
    return f"channel {channel}, row {row}, column {column}"


def _tile(program: Program, name: str, index: tuple[int, ...]) -> str:
    """Return the tile that an element lies in: the last to start at or before it."""
    if name not in program.tensors or len(index) != 3:
        return "on the host"
    channel, row, column = index
    tiles = program.tiles[program.tiles[:, 1] == program.tensors.index(name)]
    own = tiles[:, 2] == channel // program.config.columns
    before = tiles[own & (tiles[:, 3] <= row) & (tiles[:, 4] <= column)]
    if not len(before):
        return "in no tile"
    instruction, _, block, y, x, *_ = before[np.lexsort((before[:, 4], before[:, 3]))[-1]]
    return f"tile of instruction {instruction} (channel block {block}, row {y}, column {x})"
