"""Which configurations an exploration tries."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import product

from ..isa.config import Config, ConfigError
from .errors import FlowError

__all__ = ["parse_sweep", "swept"]

#: Most configurations of one sweep.
MOST = 100_000

_NUMBERS = tuple(field.name for field in fields(Config) if field.name != "name")


def parse_sweep(words: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return values by field from words such as ``rows=8,16``.

    Raises
    ------
    FlowError
        Not such a word, an unknown field, or one that is given twice.
    """
    sweep: dict[str, tuple[int, ...]] = {}
    for word in words:
        name, _, values = word.partition("=")
        if name not in _NUMBERS:
            raise FlowError(f"--sweep {word}: no field {name}; known: {', '.join(_NUMBERS)}")
        if name in sweep:
            raise FlowError(f"--sweep {word}: {name} is given twice")
        try:
            sweep[name] = tuple(dict.fromkeys(int(value) for value in values.split(",")))
        except ValueError as error:
            raise FlowError(f"--sweep {word}: write whole numbers, as in {name}=8,16") from error
    return sweep


def swept(base: Config, sweep: Mapping[str, Sequence[int]]) -> tuple[list[Config], list[str]]:
    """Return all combinations that can be built, and why the others cannot.

    Raises
    ------
    FlowError
        There are none, or too many.
    """
    count = 1
    for values in sweep.values():
        count *= len(values)
    if count > MOST:
        raise FlowError(f"the sweep has {count:,} configurations; {MOST:,} are allowed")
    configs, refused = [], []
    for values in product(*sweep.values()):
        numbers = dict(zip(sweep, values, strict=True))
        try:
            configs.append(replace(base, name=_name(numbers) or base.name, **numbers))
        except ConfigError as error:
            refused.append(f"{_name(numbers)}: {error}")
    if not configs:
        raise FlowError(f"no combination can be built; the first: {refused[0]}")
    return configs, refused


def _name(numbers: Mapping[str, int]) -> str:
    return "_".join(f"{name}{value}" for name, value in numbers.items())
