"""Widths as people write them: ``W4A4`` or ``4,4``."""

import re

from .errors import FlowError

__all__ = ["parse_bits"]


def parse_bits(text: str) -> tuple[int, int]:
    """Return the bits of weights and of activations.

    Raises
    ------
    FlowError
        The text says something else.
    """
    found = re.fullmatch(r"[Ww](\d)[Aa](\d)|(\d),\s*(\d)", text.strip())
    if found is None:
        raise FlowError(f"--bits must be like W4A8 or 4,8 (weights, activations), not {text!r}")
    weights, activations = (int(digit) for digit in found.groups() if digit)
    return weights, activations
