"""Random programs in which the engines get in each other's way; what they compute is nonsense."""

import random

from shiftloom.isa.instructions import ENGINES, Engine, Instruction, Opcode, VectorSource
from shiftloom.isa.semantics import Machine
from tests.sim.cases import END, as_program
from tests.support.jobs import Jobs
from tests.support.programs import config_instruction

__all__ = ["random_program"]

REGION_BYTES = 1 << 16


def random_program(config, seed, count=None):
    """Return a program of random work for all engines, with few and random waits."""
    source = _Source(config, seed)
    shares = [source.rng.choice([1, 1, 3]) for _ in ENGINES]
    for _ in range(count or 40 + seed % 60):
        source.add(source.rng.choices(ENGINES, shares)[0])
    instructions = [config_instruction(config), *source.instructions, END]
    return as_program(config, instructions, region_bytes=(REGION_BYTES,) * 4)


class _Source:
    """Instructions so far."""

    def __init__(self, config, seed):
        self.config, self.rng = config, random.Random(seed)
        self.jobs = Jobs(Machine(config, []), seed)
        self.words = range(config.activation_words)
        self.issued = dict.fromkeys(ENGINES, 0)
        self.instructions = []
        self.columns = 0
        self.single = self.rng.random() < 0.25  # kernels: tiles follow each other quickly

    def add(self, engine):
        """Add work of an engine."""
        makers = {Engine.MAC: self._mac, Engine.VECTOR: self._vector}
        make = makers.get(engine, lambda: self._transfer(engine))
        *settings, work = make()
        self.instructions += [*settings, Instruction(work.opcode, work.fields | self._waits())]
        self.issued[engine] += 1

    def _waits(self):
        waits = {}
        for engine, issued in self.issued.items():
            if issued and self.rng.random() < 0.3:
                behind = self.rng.choice([0, 0, 1, 2, 5])
                waits[f"wait_{engine.name.lower()}"] = max(0, issued - behind)
        return waits

    def _transfer(self, engine):
        """Return a LOAD or STORE; some move nothing, some go to no buffer."""
        rng, config, align = self.rng, self.config, self.config.align_bytes
        words = rng.choice([0, 1, 2, 3, rng.randrange(1, 60), rng.randrange(1, 200)])
        runs = rng.choice([0, 1, 1, 1, 2, rng.randrange(1, 6)])
        least = -(-max(words, 1) * config.word_bytes // align) * align
        memory_pitch = least + align * rng.randrange(3)
        if max(runs, 1) * memory_pitch > REGION_BYTES // 2:
            runs = min(runs, 1)
        size = config.activation_words
        if engine is Engine.LOAD:
            size = min(size, config.weight_words, 8 * config.parameter_words)
        pitch = min(words + rng.randrange(4), (size - words) // max(runs, 1))
        fields = {
            "region": 2 if engine is Engine.STORE else rng.randrange(4),
            "offset": align * rng.randrange(REGION_BYTES // 2 // align),
            "words": words,
            "runs": runs,
            "memory_pitch": memory_pitch,
            "pitch": pitch,
            "addr": rng.randrange(max(1, size - max(runs, 1) * pitch - words)),
        }
        if engine is Engine.LOAD:
            fields["buffer"] = rng.choice([0, 0, 0, 1, 2, 3])
        return (Instruction(Opcode[engine.name], fields),)

    def _mac(self):
        """Return MAC work, often on the accumulators of the work before, without new settings."""
        rng, limit = self.rng, self.config.accumulator_pixels
        fixed = {
            "half": rng.randrange(2),
            "columns": rng.choice([1, 2, 3, 4, 5, 8, rng.randint(1, 30)]),
            "rows": rng.choice([1, 1, 2, 3]),
            "pixel": rng.randrange(4),
        }
        if fixed["rows"] * fixed["columns"] + fixed["pixel"] > limit:
            fixed |= {"rows": 1, "columns": rng.randint(1, 8)}
        if rng.random() < 0.6:
            word = self.config.word_bytes
            fixed["column_stride"] = rng.choice([1, 2, 3, word, 2 * word])
        if self.single:
            fixed |= {"kernel_rows": 1, "kernel_columns": 1, "groups": 1}
        loops, work = self.jobs.mac(self.words, **fixed)
        if self.columns and rng.random() < 0.2:
            rows = work["rows"] if work["rows"] * self.columns + 4 <= limit else 1
            return (Instruction(Opcode.MAC, work.fields | {"rows": rows, "pixel": 0}),)
        self.columns = loops["columns"]
        return loops, work

    def _vector(self):
        """Return VECTOR work: drains and taps, with residuals and without."""
        rng, source = self.rng, self.rng.choice(list(VectorSource))
        self.jobs.parameters.used = 0
        columns = rng.choice([1, 3, 8, rng.randint(1, 30)])
        if source is VectorSource.ACCUMULATOR:
            columns = min(columns, self.config.accumulator_pixels // 4)
        fixed = {
            "source": int(source),
            "columns": columns,
            "emit_period": rng.choice([1, 1, 1, 2, 3]),
            "rows": rng.choice([1, rng.randint(1, 4)]),
        }
        return self.jobs.vector(self.words, self.words, **fixed)
