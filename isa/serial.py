"""The serial machine: what it leaves out, and what its instructions can say.

With ``serial`` in the configuration, one piece of work runs after the other, in the order of the
program, and the vector unit has one lane that all channels share. Fields have as many bits as the
smallest chips can afford; :func:`check_serial` refuses what does not fit.
"""

from collections.abc import Mapping

from .config import Config
from .instructions import Instruction, Opcode

__all__ = ["ADDRESS_BITS", "COUNT_BITS", "POSITION_BITS", "RUN_BITS", "check_serial"]

#: Bits of addresses in external memory, of the counts of loops and sizes of feature maps, of
#: positions in them (signed), and of the words of a run.
ADDRESS_BITS = 20
COUNT_BITS = 8
POSITION_BITS = 10
RUN_BITS = 14

#: Largest values of fields.
_MOST: Mapping[Opcode, Mapping[str, int]] = {
    Opcode.MAC_LOOPS: {
        **dict.fromkeys(("blocks", "kernel_rows", "kernel_columns", "columns"), 255),
        **{"height": 255, "width": 255, "column_x": 63},
        **{"groups": 1, "folded": 0, "bitwise": 0, "block_x": 0},
    },
    Opcode.MAC: {"rows": 255},
    Opcode.VECTOR_LOOPS: {"columns": 255, "height": 255, "width": 255},
    Opcode.VECTOR: {"rows": 255},
    Opcode.VECTOR_REQUANTIZE: {"threshold_bits": 0, "pack": 0},
    Opcode.LOAD: {"words": (1 << RUN_BITS) - 1, "runs": 255},
    Opcode.STORE: {"words": (1 << RUN_BITS) - 1, "runs": 255},
}

#: Fields that count bytes of the activation buffer, where it is read by whole words only.
_WORD_ALIGNED = {
    Opcode.MAC_LOOPS: (
        *("block_stride", "kernel_row_stride", "kernel_column_stride"),
        *("row_stride", "column_stride"),
    ),
    Opcode.MAC: ("addr",),
}


def check_serial(config: Config, instruction: Instruction) -> None:
    """Make sure that a serial machine can carry out an instruction.

    Raises
    ------
    ValueError
        A field is larger than it can be, or addresses a part of a word.
    """
    opcode = instruction.opcode
    for name, most in _MOST.get(opcode, {}).items():
        if instruction[name] > most:
            raise ValueError(
                f"{opcode.name}.{name} is at most {most} in configuration {config.name}, "
                f"not {instruction[name]}"
            )
    for name in _WORD_ALIGNED.get(opcode, ()):
        if instruction[name] % config.word_bytes:
            raise ValueError(
                f"{opcode.name}.{name} is a multiple of {config.word_bytes} in configuration "
                f"{config.name}, not {instruction[name]}"
            )
