"""State of the machine that instructions see, and what work needs before it can run."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .instructions import Instruction, Opcode, VectorSource

__all__ = ["Machine", "check_inside", "check_settings", "outer"]


@dataclass
class Machine:
    """State that instructions see.

    Parameters
    ----------
    config : Config
        The hardware.
    regions : list of uint8 array
        External memory behind each of the four base addresses.
    """

    config: Config
    regions: list[NDArray[np.uint8]]
    activation: NDArray[np.uint8] = field(init=False)
    weight: NDArray[np.uint8] = field(init=False)
    parameter: NDArray[np.uint8] = field(init=False)
    accumulators: NDArray[np.int64] = field(init=False)
    settings: dict[Opcode, Instruction] = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        self.activation = np.zeros((config.activation_words, config.word_bytes), np.uint8)
        self.weight = np.zeros((config.weight_words, config.word_bytes), np.uint8)
        self.parameter = np.zeros((config.parameter_words * 8, config.word_bytes), np.uint8)
        self.accumulators = np.zeros((2, config.accumulator_pixels, config.columns), np.int64)
        self.settings = {}


#: Settings that work needs, and their fields that count.
_NEEDS: dict[Opcode, dict[Opcode, tuple[str, ...]]] = {
    Opcode.MAC: {
        Opcode.MAC_LOOPS: ("blocks", "groups", "kernel_rows", "kernel_columns", "columns")
    },
    Opcode.VECTOR: {
        Opcode.VECTOR_LOOPS: ("columns", "kernel_rows", "kernel_columns", "emit_period"),
        Opcode.VECTOR_REQUANTIZE: (),
    },
}


def check_settings(machine: Machine, opcode: Opcode) -> None:
    """Check that an opcode's settings are there and count something.

    Raises
    ------
    ValueError
        Settings are missing, or one of their counts is zero.
    """
    for settings, counts in _NEEDS.get(opcode, {}).items():
        if settings not in machine.settings:
            raise ValueError(f"{opcode.name} before {settings.name}")
        values = machine.settings[settings]
        drains = opcode is Opcode.VECTOR and values["source"] == VectorSource.ACCUMULATOR
        for name in counts:
            if not values[name] and not (drains and name.startswith("kernel")):
                raise ValueError(f"{settings.name}.{name} is 0")


def check_inside(index: NDArray[np.int64], size: int, what: str) -> None:
    """Check indices against the size of what they point into.

    Raises
    ------
    ValueError
        One lies outside.
    """
    if index.size and (index.min() < 0 or index.max() >= size):
        raise ValueError(f"{what} {index.min()}…{index.max()} lies outside 0…{size - 1}")


def outer(*terms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of one term per axis."""
    total = terms[0]
    for term in terms[1:]:
        total = np.add.outer(total, term)
    return total
