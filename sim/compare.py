"""Compares runs word by word, and puts tensors together from what was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.program import Program, Segment
from .listing import describe_instruction
from .locations import Locations, locate
from .result import Run

__all__ = ["Difference", "TensorType", "assemble", "first_difference"]

#: Shape ``(channels, height, width)``, whether codes are two's complement, and for tensors that may
#: be stored as bit-planes the code that each combination of bits stands for.
TensorType = tuple[tuple[int, int, int], bool] | tuple[tuple[int, int, int], bool, Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first word that two runs write differently.

    Parameters
    ----------
    what : str
        ``value``, ``address``, ``missing`` (only expected) or ``extra`` (only actual).
    write : int
        The word's number in the order of writes.
    expected, actual : int or None
        Both values: an unsigned byte, or an address; None where there is no word.
    instruction : int or None
        Index in the program of the VECTOR instruction; None for an extra word.
    layer, tensor : str or None
        Names, where the program tells them.
    channel, y, x : int or None
        Position in the tensor, likewise. Of a whole word, the first channel.
    lane : int or None
        Byte of the word, for a value.
    text : str
        The instruction in words.
    """

    what: str
    write: int
    expected: int | None
    actual: int | None
    instruction: int | None = None
    layer: str | None = None
    tensor: str | None = None
    channel: int | None = None
    y: int | None = None
    x: int | None = None
    lane: int | None = None
    text: str = ""

    def __str__(self) -> str:
        if self.what == "extra":
            return f"word {self.write}, to address {self.actual}, is one more than expected"
        where = "" if self.layer is None else f"layer {self.layer}, "
        if self.tensor is not None:
            where += f"tensor {self.tensor}[{self.channel}, {self.y}, {self.x}], "
        values = {
            "value": f"expected {self.expected}, got {self.actual}",
            "address": f"expected at address {self.expected}, written to {self.actual}",
            "missing": "never written",
        }
        lane = "" if self.lane is None else f" lane {self.lane}"
        return f"{where}word {self.write}{lane}: {values[self.what]}; {self.text}"


def first_difference(
    program: Program, segment: Segment, expected: Run, actual: Run
) -> Difference | None:
    """Return the first word that was written differently, or None.

    Parameters
    ----------
    program, segment : Program, Segment
        What ran.
    expected, actual : Run
        Runs with trace; the first one's ``counts`` say which instruction wrote what.

    Raises
    ------
    ValueError
        A run without trace, or counts that do not fit the segment.
    """
    if len(expected.addresses) != expected.counts.sum():
        raise ValueError("the expected run was not traced")
    count = min(len(expected.addresses), len(actual.addresses))
    misplaced = expected.addresses[:count] != actual.addresses[:count]
    wrong = (expected.data[:count] != actual.data[:count]).any(axis=1)
    differing = np.flatnonzero(misplaced | wrong)
    if not len(differing) and len(expected.addresses) == len(actual.addresses):
        return None
    write = int(differing[0]) if len(differing) else count
    if write == len(expected.addresses):
        address = int(actual.addresses[write])
        return Difference(what="extra", write=write, expected=None, actual=address)
    return _difference(program, segment, expected, actual, write)


def _difference(
    program: Program, segment: Segment, expected: Run, actual: Run, write: int
) -> Difference:
    """Describe the difference at one word."""
    what, lane = "value", None
    right, wrong = int(expected.addresses[write]), None
    if write == len(actual.addresses):
        what = "missing"
    elif actual.addresses[write] != right:
        what, wrong = "address", int(actual.addresses[write])
    else:
        lane = int(np.flatnonzero(expected.data[write] != actual.data[write])[0])
        right, wrong = int(expected.data[write, lane]), int(actual.data[write, lane])
    places = locate(program, segment, expected.counts)
    instruction = int(places.instruction[write])
    layer = int(program.layer_of[instruction])
    return Difference(
        what=what,
        write=write,
        expected=right,
        actual=wrong,
        instruction=instruction,
        layer=program.layers[layer].name if layer >= 0 else None,
        lane=lane,
        text=describe_instruction(program, instruction),
        **_position(program, places, write, lane or 0),
    )


def _position(program: Program, places: Locations, write: int, lane: int) -> dict[str, Any]:
    """Return tensor and position of one lane of a word, where the program tells them."""
    tensor, columns = int(places.tensor[write]), program.config.columns
    if tensor < 0:
        return {}
    return {
        "tensor": program.tensors[tensor],
        "channel": int(places.block[write]) * columns + lane if lane < columns else None,
        "y": int(places.y[write]),
        "x": int(places.x[write]),
    }


def assemble(
    program: Program,
    segments: Sequence[Segment],
    runs: Sequence[Run],
    tensors: Mapping[str, TensorType],
) -> dict[str, NDArray[np.int16]]:
    """Return the tensors that runs wrote, on chip or off.

    Parameters
    ----------
    program : Program
        What ran.
    segments, runs : sequence of Segment, of Run
        One traced run per segment, in order: ``program.segments``, or some of them.
    tensors : mapping of str to TensorType
        Shape, signedness and levels of the tensors that are wanted.

    Returns
    -------
    dict of str to int16 array
        Codes ``(channels, height, width)`` of those that were written; 0 where no word was.

    Raises
    ------
    ValueError
        A run whose writes do not fit its segment, or a word outside its tensor.
    """
    codes: dict[str, NDArray[np.int16]] = {}
    for segment, run in zip(segments, runs, strict=True):
        if len(run.addresses) != run.counts.sum():
            asked, found = run.counts.sum(), len(run.addresses)
            raise ValueError(f"the {run.engine} run has {found} traced words, not {asked}")
        places = locate(program, segment, run.counts)
        for number in np.unique(places.tensor[places.tensor >= 0]):
            name = program.tensors[number]
            if name in tensors:
                shape, signed, *levels = tensors[name]
                target = codes.setdefault(name, np.zeros(shape, np.int16))
                chosen = np.flatnonzero(places.tensor == number)
                try:
                    if places.plane[chosen].any():
                        _fill_bits(target, places, chosen, run.data, program.config.columns)
                        target[:] = np.array(levels[0], np.int16)[target]
                        continue
                    lanes = run.data[chosen, : program.config.columns]
                    _fill(target, places, chosen, lanes.view(np.int8) if signed else lanes)
                except (ValueError, IndexError) as error:
                    raise ValueError(f"{name}: {error}") from error
    return codes


def _fill_bits(
    target: NDArray[np.int16],
    places: Locations,
    chosen: NDArray[np.intp],
    data: NDArray[np.uint8],
    columns: int,
) -> None:
    """Put the bits of chosen words together: numbers of levels."""
    bits = np.unpackbits(data[chosen], axis=-1, bitorder="little")
    part = places.block[chosen, None] % 8 * columns + np.arange(columns)
    lanes = np.take_along_axis(bits, part, axis=1).astype(np.int16)
    total = np.zeros_like(target)
    for plane in np.unique(places.plane[chosen]):
        one, members = np.zeros_like(target), places.plane[chosen] == plane
        _fill(one, places, chosen[members], lanes[members])
        total += one << int(plane - 1)
    target[:] = total


def _fill(
    target: NDArray[np.int16],
    places: Locations,
    chosen: NDArray[np.intp],
    lanes: NDArray[np.integer],
) -> None:
    """Put chosen words into a tensor; lanes above its channels are dropped."""
    _, columns = lanes.shape
    channels, height, width = target.shape
    for axis, size in (("block", -(-channels // columns)), ("y", height), ("x", width)):
        values = getattr(places, axis)[chosen]
        if values.min() < 0 or values.max() >= size:
            raise ValueError(
                f"{axis} {values.min()}…{values.max()} of its words is outside 0…{size - 1}"
            )
    channel = places.block[chosen, None] * columns + np.arange(columns)
    inside = channel < channels
    y = np.broadcast_to(places.y[chosen, None], channel.shape)
    x = np.broadcast_to(places.x[chosen, None], channel.shape)
    target[channel[inside], y[inside], x[inside]] = lanes[inside]
