"""Bit-planes: what runs on the bit array, and how operands and weights are split for it."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..isa.config import Config
from ..isa.thresholds import NEVER, Thresholds
from ..quant.bipolar import reachable
from ..quant.graph import Conv, MaxPool, Node, QuantGraph, TensorType
from .bit_source import BitSource, Planes, Term
from .ops import Map

__all__ = [
    "bit_source",
    "engine_cycles",
    "input_planes",
    "level_bank",
    "plane_map",
    "plane_tensors",
]

#: A pass that adds nothing.
_DOUBLING = Term(plane=0, weight_plane=None, double=True, negative=False)

#: Planes of feature maps take at most this part of the activation buffer each: they always stay.
LARGEST_MAP = 6


def input_planes(tensor: TensorType) -> Planes | None:
    """Return the planes that a tensor is stored as, lowest bit first; None if it cannot be."""
    if tensor.bipolar:
        return Planes(tensor.bipolar[::-1], True) if len(tensor.bipolar) <= 2 else None
    values = [1 << bit for bit in range(tensor.bits)]
    if tensor.signed:
        values[-1] = -values[-1]
    return Planes(tuple(values), False)


def bit_source(tensor: TensorType, weight: NDArray[np.int8]) -> BitSource | None:
    """Return how the bit array takes weights and operands; None if it cannot."""
    inputs, weights = input_planes(tensor), _weight_planes(weight)
    if inputs is None or (inputs.bipolar and weights.bipolar and weight.shape[1] % 2):
        return None
    products = [
        (power, plane, weight_plane, negative)
        for plane, a in enumerate(inputs.values)
        for weight_plane, w in enumerate(weights.values)
        for power, negative in _signed_powers(a * w)
    ]
    reach = max(-tensor.low, tensor.high)
    return BitSource(inputs=inputs, weights=weights, terms=tuple(_horner(products)), reach=reach)


def _horner(products: list[tuple[int, int, int, bool]]) -> Iterator[Term]:
    """Yield the passes of products, largest powers of two first, that double what is there."""
    products = sorted(products, key=lambda product: -product[0])
    before = products[0][0] if products else 0
    for power, plane, weight_plane, negative in products:
        yield from [_DOUBLING] * (before - power - 1)
        yield Term(plane=plane, weight_plane=weight_plane, double=power < before, negative=negative)
        before = power
    yield from [_DOUBLING] * before


def _weight_planes(weight: NDArray[np.int8]) -> Planes:
    """Return the planes of weights: one of a value with two signs, or those of integers."""
    values = weight.astype(np.int64)
    size = int(np.abs(values).max())
    if size and bool((np.abs(values) == size).all()):
        return Planes((size,), True)
    low, high = int(values.min()), int(values.max())
    if low >= 0:
        return Planes(tuple(1 << bit for bit in range(max(high.bit_length(), 1))), False)
    bits = max(high.bit_length(), (-low - 1).bit_length()) + 1
    found = [1 << bit for bit in range(bits)]
    return Planes((*found[:-1], -found[-1]), False)


def _signed_powers(value: int) -> Iterator[tuple[int, bool]]:
    """Yield powers of two and signs that add up to a value, as few and small as there can be."""
    power, flipped = 0, value < 0
    rest = abs(value)
    plain = rest.bit_count() == (rest ^ 3 * rest).bit_count()  # signs would save nothing
    while rest:
        if rest & 1:
            digit = 1 if plain else 2 - (rest & 3)  # the canonical signed digit: +1 or -1
            yield power, flipped != (digit < 0)
            rest -= digit
        rest >>= 1
        power += 1


def plane_map(name: str, tensor: TensorType, config: Config) -> Map:
    """Return the storage of a tensor's planes: a block of words for each plane and lane block."""
    planes = input_planes(tensor)
    assert planes is not None
    count = len(planes.values)
    blocks = count * -(-tensor.shape[0] // config.bit_lanes)
    return Map(
        name=name,
        channels=blocks * config.columns,
        height=tensor.shape[1],
        width=tensor.shape[2],
        signed=tensor.signed,
        planes=count,
        lane_blocks=blocks // count,
    )


def plane_tensors(
    graph: QuantGraph, nodes: Sequence[Node], config: Config, kept: Collection[str]
) -> set[str]:
    """Return the tensors that are better stored as planes, for convolutions on the bit array.

    Parameters
    ----------
    graph, nodes : QuantGraph, sequence of Node
        The network, and the segment.
    config : Config
        The accelerator.
    kept : collection of str
        Tensors that must be bytes: at the segment's edges, or parts of others.
    """
    if not config.bit_lanes:
        return set()
    makers = {node.output: node for node in nodes}
    found = set()
    for name, maker in makers.items():
        readers = [node for node in nodes if name in node.inputs]
        if name in kept or not readers or not _storable(graph, maker, config):
            continue
        pairs = [engine_cycles(graph, node, config) for node in readers]
        # At equal cycles bits still take less memory, on the chip and on the bus.
        if all(pair and pair[1] + _drains(graph, name, config) <= pair[0] for pair in pairs):
            found.add(name)
    return found


def _drains(graph: QuantGraph, name: str, config: Config) -> int:
    """Return cycles of the vector unit that a reader must repay: those of planes above four.

    Up to four planes hide behind the passes of the layer that makes them.
    """
    tensor = graph.tensors[name]
    planes = input_planes(tensor)
    assert planes is not None
    channels, height, width = tensor.shape
    return max(0, len(planes.values) - 4) * -(-channels // config.columns) * height * width


def _storable(graph: QuantGraph, maker: Node, config: Config) -> bool:
    """Return whether a node's output can be written as planes."""
    tensor = graph.tensors[maker.output]
    planes = input_planes(tensor)
    if planes is None:
        return False
    if planes.bipolar and not (isinstance(maker, Conv) and _levels_fit(maker, tensor)):
        return False
    if isinstance(maker, MaxPool) and planes.bipolar:
        return False
    storage = plane_map(maker.output, tensor, config)
    words = storage.channels // config.columns * storage.height * storage.width
    return words <= config.activation_words // LARGEST_MAP


def _levels_fit(maker: Conv, tensor: TensorType) -> bool:
    """Return whether thresholds make exactly the levels of a bipolar tensor."""
    return maker.thresholds is not None and reachable(maker.thresholds) <= set(tensor.levels)


def level_bank(bank: Thresholds, tensor: TensorType) -> Thresholds:
    """Return the bank that gives the number of a bipolar tensor's level instead of its code."""
    steps = [level - bank.low - 1 for level in tensor.levels[1:]]
    least = np.full(len(bank.values), -(1 << 31), np.int32)
    rows = [
        least
        if step < 0
        else bank.values[:, min(step, bank.values.shape[1] - 1)]
        if step < bank.values.shape[1]
        else np.full(len(bank.values), NEVER, np.int32)
        for step in steps
    ]
    return Thresholds(values=np.stack(rows, axis=1).astype(np.int32))


def engine_cycles(graph: QuantGraph, node: Node, config: Config) -> tuple[int, int] | None:
    """Return the predicted cycles of a layer on the array and on the bit array.

    None if the bit array cannot take it, or there is none.
    """
    if not isinstance(node, Conv) or node.groups > 1 or not config.bit_lanes:
        return None
    source = bit_source(graph.tensors[node.inputs[0]], node.weight)
    if source is None:
        return None
    outputs, channels, height, width = node.weight.shape
    parts = -(-outputs // config.columns)
    pixels = int(np.prod(graph.tensors[node.output].shape[1:]))
    blocks = -(-channels // config.columns) * config.row_groups
    doublings = source.terms.count(_DOUBLING)
    words = -(-channels // config.bit_lanes) * (len(source.terms) - doublings)
    return (
        parts * height * width * blocks * max(pixels, config.rows),
        parts * width * (height * words + doublings) * max(pixels, config.columns),
    )
