"""The serial machine: what it leaves out, and what its instructions can say.

With ``serial`` in the configuration, one piece of work runs after the other, in the order of the
program. The vector unit has one lane that all channels share, or, with ``serial = 2``, one for
each, as other machines have. Fields have as many bits as the smallest chips can afford;
:func:`check_serial` refuses what does not fit.
"""

from collections.abc import Mapping

from .config import Config
from .instructions import Instruction, Opcode

__all__ = [
    "ADDRESS_BITS",
    "COUNT_BITS",
    "INDEX_BITS",
    "POSITION_BITS",
    "RUN_BITS",
    "SERIAL_COUNTERS",
    "check_serial",
    "weight_words_at_once",
]

#: Counters that the machine has; others read as 0.
SERIAL_COUNTERS = ("CYCLES", "MAC_CYCLES")

#: Bits of addresses in external memory, of an instruction's index, of the counts of loops and
#: sizes of feature maps, of
#: positions in them (signed), and of a word's place in a buffer.
ADDRESS_BITS = 20
INDEX_BITS = 12
COUNT_BITS = 8
POSITION_BITS = 10
RUN_BITS = 14

#: Largest values of fields.
_MOST: Mapping[Opcode, Mapping[str, int]] = {
    Opcode.MAC_LOOPS: {
        **dict.fromkeys(("blocks", "kernel_rows", "kernel_columns", "columns"), 255),
        "height": 255,
        "width": 255,
        "column_x": 63,
        "groups": 1,
        "folded": 0,
        "bitwise": 0,
        "block_x": 0,
    },
    Opcode.MAC: {"rows": 255},
    Opcode.VECTOR_LOOPS: {"columns": 255, "height": 255, "width": 255},
    Opcode.VECTOR: {"rows": 255},
    Opcode.VECTOR_REQUANTIZE: {"threshold_bits": 0, "pack": 0},
    Opcode.LOAD: {"words": 1 << RUN_BITS, "runs": 255},
    Opcode.STORE: {"words": 1 << RUN_BITS, "runs": 255},
}

#: Fields that count bytes of the activation buffer, where it is read by whole words only.
_WORD_ALIGNED = {
    Opcode.MAC_LOOPS: (
        *("block_stride", "kernel_row_stride", "kernel_column_stride"),
        *("row_stride", "column_stride"),
    ),
    Opcode.MAC: ("addr",),
}


#: Of each engine's positions: start, and the counts and steps that move them.
_POSITIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "y": (("rows", "row_y"), ("kernel_rows", "kernel_row_y")),
    "x": (("columns", "column_x"), ("kernel_columns", "kernel_column_x")),
}

_LOOPS = {Opcode.MAC: Opcode.MAC_LOOPS, Opcode.VECTOR: Opcode.VECTOR_LOOPS}


def weight_words_at_once(config: Config) -> int:
    """Return the words of the weight buffer that are read at once, and lie side by side."""
    return config.rows // 2


def check_serial(
    config: Config, instruction: Instruction, settings: Mapping[Opcode, Instruction]
) -> None:
    """Make sure that a serial machine can carry out an instruction with settings in force.

    Raises
    ------
    ValueError
        A field is larger than it can be or addresses a part of what is read at once, or a position
        lies too far out.
    """
    opcode = instruction.opcode
    if opcode in _LOOPS and _LOOPS[opcode] in settings:
        _check_positions(config, settings[_LOOPS[opcode]], instruction)
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
    if opcode is Opcode.MAC and instruction["weight_addr"] % (
        at_once := weight_words_at_once(config)
    ):
        raise ValueError(
            f"MAC.weight_addr is a multiple of {at_once} in configuration {config.name}, "
            f"not {instruction['weight_addr']}"
        )


def _check_positions(config: Config, loops: Instruction, work: Instruction) -> None:
    reach = 1 << (POSITION_BITS - 1)
    for name, moves in _POSITIONS.items():
        farthest = work[name]
        for count, step in moves:
            times = work[count] if count == "rows" else loops[count]
            farthest += (times - 1) * loops[step]
        if work[name] < -reach or farthest >= reach:
            raise ValueError(
                f"{work.opcode.name}.{name} moves from {work[name]} to {farthest}; in "
                f"configuration {config.name} positions are {-reach}…{reach - 1}"
            )
