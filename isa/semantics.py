"""What each instruction means, on integers: the machine as a function of its state.

These functions are the definition that the hardware is tested against. They take an instruction's
fields and change a :class:`Machine`; nothing here knows about time.
"""

import numpy as np
from numpy.typing import NDArray

from .config import Config
from .instructions import Buffer, Instruction, Opcode
from .machine import Machine, check_inside, check_settings
from .semantics_mac import run_mac
from .semantics_vector import run_vector
from .serial import check_serial

__all__ = ["Machine", "execute"]


def execute(machine: Machine, instruction: Instruction) -> NDArray[np.int64] | None:
    """Carry out one instruction.

    Returns
    -------
    int64 array or None
        For VECTOR work the word addresses it wrote, in order; otherwise nothing.

    Raises
    ------
    ValueError
        An access outside a buffer or a region, an illegal opcode, work without settings, a count
        of zero, a tap that meets a word before its row, or what a serial machine cannot do.
    """
    opcode = instruction.opcode
    check_settings(machine, opcode)
    if machine.config.serial:
        check_serial(machine.config, instruction, machine.settings)
    if opcode is Opcode.LOAD:
        _load(machine, instruction)
    elif opcode is Opcode.STORE:
        _store(machine, instruction)
    elif opcode is Opcode.MAC:
        run_mac(machine, machine.settings[Opcode.MAC_LOOPS], instruction)
    elif opcode is Opcode.VECTOR:
        return run_vector(machine, instruction)
    elif opcode in (Opcode.MAC_LOOPS, Opcode.VECTOR_LOOPS, Opcode.VECTOR_REQUANTIZE):
        machine.settings[opcode] = instruction
    elif opcode is Opcode.CONFIG and instruction["config_id"] != machine.config.id:
        raise ValueError(f"program is for configuration {instruction['config_id']:#010x}")
    elif opcode is Opcode.ILLEGAL:
        raise ValueError("illegal opcode")
    return None


def _transfer(machine: Machine, i: Instruction) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the byte offsets in external memory and the buffer words of a transfer."""
    runs, words = np.arange(i["runs"]), np.arange(i["words"])
    memory = i["offset"] + np.add.outer(runs * i["memory_pitch"], words * machine.config.word_bytes)
    buffer = i["addr"] + np.add.outer(runs * i["pitch"], words)
    return memory.ravel(), buffer.ravel()


def _bytes_of(offsets: NDArray[np.int64], config: Config) -> NDArray[np.int64]:
    return np.add.outer(offsets, np.arange(config.word_bytes))


def _region(machine: Machine, i: Instruction) -> NDArray[np.uint8]:
    if i["region"] >= len(machine.regions):
        raise ValueError(f"there is no region {i['region']}")
    return machine.regions[i["region"]]


def _load(machine: Machine, i: Instruction) -> None:
    memory, words = _transfer(machine, i)
    targets = {
        Buffer.ACTIVATION: machine.activation,
        Buffer.WEIGHT: machine.weight,
        Buffer.PARAMETER: machine.parameter,
    }
    target = targets[Buffer(i["buffer"])]
    check_inside(words, len(target), "LOAD word")
    region = _region(machine, i)
    source = _bytes_of(memory, machine.config)
    check_inside(source, len(region), "LOAD byte")
    target[words] = region[source]


def _store(machine: Machine, i: Instruction) -> None:
    memory, words = _transfer(machine, i)
    check_inside(words, len(machine.activation), "STORE word")
    region = _region(machine, i)
    target = _bytes_of(memory, machine.config)
    check_inside(target, len(region), "STORE byte")
    region[target] = machine.activation[words]
