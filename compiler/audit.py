"""Independent check of a finished program: order, hazards, bounds, from its instructions alone.

Nothing here knows how the compiler came to its decisions. Each piece of work is reduced to the
words it reads and writes, computed from instruction fields as the machine does, and every pair of
engines that meets at a word must be ordered by a token.
"""

from collections.abc import Sequence

import numpy as np

from ..isa.config import Config
from ..isa.instructions import ENGINES, Buffer, Engine, Instruction, Opcode, engine_of, is_work
from ..isa.serial import check_serial
from .errors import CompileError
from .touched import Touched, touched_words

__all__ = ["audit"]


def audit(instructions: Sequence[Instruction], config: Config, region_bytes: Sequence[int]) -> None:
    """Check one segment of a program.

    Raises
    ------
    CompileError
        Work that could start before what it depends on, that waits for work behind it, or that
        leaves a buffer: a mistake of the compiler, named by instruction.
    """
    auditor = _Auditor(config, region_bytes)
    _require(instructions[0].opcode is Opcode.CONFIG, 0, "a program begins with CONFIG")
    last = len(instructions) - 1
    _require(instructions[last].opcode is Opcode.END, last, "a program ends with END")
    for index, instruction in enumerate(instructions[1:last], start=1):
        auditor.step(index, instruction)


def _require(good: bool, index: int, message: str) -> None:
    if not good:
        raise CompileError(f"instruction {index}: {message}")


class _Auditor:
    def __init__(self, config: Config, region_bytes: Sequence[int]) -> None:
        self.config = config
        sizes = {
            Buffer.ACTIVATION.name: config.activation_words,
            Buffer.WEIGHT.name: config.weight_words,
            Buffer.PARAMETER.name: 8 * config.parameter_words,
            "half": 2,
        }
        regions = enumerate(region_bytes)
        sizes |= {f"region {n}": size // config.word_bytes for n, size in regions}
        self.written = {n: np.zeros((len(ENGINES), w), np.int32) for n, w in sizes.items()}
        self.read = {n: np.zeros((len(ENGINES), w), np.int32) for n, w in sizes.items()}
        self.counts = np.zeros(len(ENGINES), np.int64)
        self.known = np.zeros((len(ENGINES), len(ENGINES)), np.int64)
        self.settings: dict[Opcode, Instruction] = {}

    def step(self, index: int, instruction: Instruction) -> None:
        """Check one instruction, and note what it touches."""
        opcode = instruction.opcode
        engine = engine_of(opcode)
        if engine is None:
            raise CompileError(f"instruction {index}: {opcode.name} within a program")
        self._check_fields(index, instruction)
        if not is_work(opcode):
            self.settings[opcode] = instruction
            return
        waits = [instruction[f"wait_{e.name.lower()}"] for e in ENGINES]
        behind = [e.name for e in ENGINES if waits[e] > self.counts[e]]
        _require(not behind, index, f"{opcode.name} waits for {behind} behind it")
        np.maximum(self.known[engine], waits, out=self.known[engine])
        self.counts[engine] += 1
        _require(self.counts[engine] < 1 << 16, index, f"too much {engine.name} work")
        if opcode in (Opcode.LOAD, Opcode.STORE):
            self._check_alignment(index, instruction)
        touched = touched_words(instruction, self.settings, self.config)
        for entry in touched:
            self._check(index, engine, entry)
        for entry in touched:
            if entry.memory == "region 0":
                continue  # constants never change
            kind = self.written if entry.write else self.read
            kind[entry.memory][engine, entry.words] = self.counts[engine]

    def _check_fields(self, index: int, instruction: Instruction) -> None:
        """Make sure that a serial machine can do it, whose counts and positions are shorter."""
        if self.config.serial:
            try:
                check_serial(self.config, instruction, self.settings)
            except ValueError as error:
                raise CompileError(f"instruction {index}: {error}") from error

    def _check_alignment(self, index: int, instruction: Instruction) -> None:
        pitch = instruction["memory_pitch"] if instruction["runs"] > 1 else 0
        aligned = (instruction["offset"] | pitch) % self.config.align_bytes == 0
        _require(aligned, index, f"its memory is not aligned to {self.config.align_bytes} bytes")

    def _check(self, index: int, engine: Engine, entry: Touched) -> None:
        size = self.written[entry.memory].shape[1]
        inside = not entry.words.size or (entry.words.min() >= 0 and entry.words.max() < size)
        _require(inside, index, f"leaves {entry.memory}")
        if entry.memory == "region 0":
            _require(not entry.write, index, "writes constants")
            return
        for name, table in (("written", self.written), ("read", self.read)):
            if name == "read" and not entry.write:
                continue
            latest = table[entry.memory][:, entry.words].max(axis=1, initial=0)
            for other in ENGINES:
                if other is engine or latest[other] <= self.known[engine][other]:
                    continue
                raise CompileError(
                    f"instruction {index}: {engine.name} may touch {entry.memory} before "
                    f"{other.name} work {latest[other]} has {name} it"
                )
