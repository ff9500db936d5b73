"""What a program's manifest lists: places in memory, layers, and what happens in which order."""

from dataclasses import dataclass

__all__ = ["HostStep", "Layer", "Manifest", "Place", "Segment"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a feature map lies in external memory, and how to read its codes.

    Parameters
    ----------
    tensor : str
        Its name in the graph.
    region : int
        Region 0…3.
    offset : int
        Bytes from the region's start.
    shape : tuple of int
        ``(channels, height, width)``.
    layout : str
        ``blocked`` or ``folded``, see :mod:`shiftloom.isa.layout`.
    signed : bool
        Two's complement, or unsigned bytes.
    row_words : int
        Words from one row to the next; at least what a row takes.
    unroll : tuple of int
        For folded inputs whose kernel rows are folded too: kernel rows, stride, dilation and
        padding at the top. Row ``y`` in memory then holds, for each pixel, the channels of kernel
        row after kernel row; kernel row ``k`` is row ``y * stride + k * dilation - padding`` of the
        feature map, or zero. Empty otherwise.
    rows : int
        Rows in memory; 0 means as many as ``shape`` says.
    """

    tensor: str
    region: int
    offset: int
    shape: tuple[int, int, int]
    layout: str
    signed: bool
    row_words: int
    unroll: tuple[int, ...] = ()
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of the layer table.

    Parameters
    ----------
    name : str
        The layer's name in the graph; of several that were fused, the first.
    operator : str
        What it is, in words (``conv 3x3/2``).
    engine : str
        ``array``, ``bits`` for the bit array, or ``vector``: where its arithmetic runs.
    output : str
        The tensor it makes, as named in the graph.
    macs : int
        Multiply-accumulates of the layer's definition (padding not counted as saved).
    choice : tuple of int
        Where either array could take it: predicted cycles on the array and on the bit array.
    """

    name: str
    operator: str
    engine: str
    output: str
    macs: int
    choice: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of the program that the machine runs without help of the host.

    Instructions ``first…first+count-1``, from CONFIG to END. ``inputs`` must lie in external
    memory before it starts, ``outputs`` lie there when it is done.
    """

    first: int
    count: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HostStep:
    """A node of the graph that the host computes between segments."""

    node: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a program file says in JSON; the rest of it is arrays.

    ``config`` is the text of a TOML file, ``config_id`` the identity that it had when the program
    was compiled; other fields are those of :class:`~shiftloom.isa.program.Program`.
    """

    format: str
    name: str
    config: str
    config_id: int
    region_bytes: tuple[int, int, int, int]
    places: tuple[Place, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Segment | HostStep, ...]
    layers: tuple[Layer, ...]
    tensors: tuple[str, ...]
