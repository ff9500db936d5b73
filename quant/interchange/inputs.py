"""The codes of a network's inputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from .. import float_graph as fg
from ..errors import UnsupportedError
from ..graph import TensorType
from ..staircases import Uniform
from .closing import MOST_LEVELS, log2_exact
from .open_layer import Chain

__all__ = ["Raw", "format_of_codes", "input_codes", "raw_input"]


@dataclass(frozen=True)
class Raw:
    """A network's input that is not codes yet, and what follows it."""

    name: str
    chain: Chain


def raw_input(name: str, channels: int) -> Raw:
    """Return an input as it comes."""
    return Raw(name, Chain.linear([Fraction(1)] * channels))


def format_of_codes(
    shape: tuple[int, int, int], low: int, high: int, exponent: int
) -> TensorType | None:
    """Return the narrowest format that holds codes, or None where 8 bits do not."""
    signed = low < 0
    for bits in range(1, 9):
        tensor = TensorType(shape=shape, bits=bits, signed=signed, exponent=exponent)
        if tensor.low <= low and high <= tensor.high:
            return tensor
    return None


def input_codes(
    raw: Raw, node: fg.Staircase, shape: tuple[int, int, int]
) -> tuple[TensorType, Fraction]:
    """Return the codes that an input gets for the quantizer behind it, and what one is worth.

    Where the input itself is quantized, maybe after a factor, these are the quantizer's own codes.
    Else, before a quantizer of up to 16 levels, they have 8 bits, and a step as fine as all of
    its boundaries allow: what saturates is beyond the last boundary anyway.

    Raises
    ------
    UnsupportedError
        There are more levels, with something before them that 8 bits cannot resolve.
    """
    rule, step = node.rule, _direct_step(raw.chain, node)
    if step is not None:
        found = format_of_codes(shape, *rule.codes, log2_exact(step) or 0)
        if found is not None:
            return found, step
    low, high = rule.codes
    if high - low > MOST_LEVELS:
        raise UnsupportedError(
            "SL-Q104",
            f"an input of {high - low + 1} levels, with more than a factor before its quantizer",
            node=node.name,
            allowed="Quant right at the input (ROUND, zero point 0, 8 bits), or at most 16 levels",
            fix="quantize the input itself, and leave its normalization to the data",
        )
    places = [Fraction(0), *_boundaries(raw.chain, node)]
    signed = any(place <= 0 for place in places[1:])
    largest = max(abs(place) for place in places)
    exponent = _finest(largest or Fraction(1), 127 if signed else 255)
    tensor = TensorType(shape=shape, signed=signed, exponent=exponent)
    return tensor, Fraction(2) ** exponent


def _direct_step(chain: Chain, node: fg.Staircase) -> Fraction | None:
    """Return what a code of the quantizer is worth at the input, if it is a rounded multiple."""
    rule, (gain, *others) = node.rule, chain.gain
    plain = isinstance(rule, Uniform) and rule.rounding == "ROUND" and not rule.zero
    unbounded = set(chain.low) == {-inf} and set(chain.high) == {inf}
    if not plain or gain <= 0 or set(others) - {gain} or any(chain.offset) or not unbounded:
        return None
    return rule.step / gain if isinstance(rule, Uniform) else None


def _boundaries(chain: Chain, node: fg.Staircase) -> Iterator[Fraction]:
    """Yield where the input reaches the quantizer's boundaries."""
    columns = zip(chain.gain, chain.offset, chain.low, chain.high, strict=True)
    rows = node.rule.rows()
    for channel, (gain, offset, low, high) in enumerate(columns):
        for boundary in rows[channel if len(rows) > 1 else 0]:
            if gain and abs(boundary.value) != inf and low <= boundary.value <= high:
                yield (Fraction(boundary.value) - offset) / gain


def _finest(largest: Fraction, code: int) -> int:
    """Return the least exponent at which a code is at least a number."""
    exponent = 0
    while code * Fraction(2) ** exponent < largest:
        exponent += 1
    while code * Fraction(2) ** (exponent - 1) >= largest:
        exponent -= 1
    return exponent
