"""Programs in memory for tests, with what they should leave there."""

import random
from dataclasses import dataclass

import numpy as np

from shiftloom.isa.instructions import Buffer, Instruction, Opcode, VectorSource, encode
from shiftloom.isa.semantics import Machine, execute
from tests.support.jobs import Jobs, random_machine

__all__ = [
    "Placed",
    "compute_program",
    "config_instruction",
    "copy_program",
    "expected",
    "place",
]

REGION_BYTES = 4096


@dataclass(frozen=True)
class Placed:
    """A program and its regions in one memory.

    Parameters
    ----------
    memory : bytes
        Contents of the memory.
    program : int
        Address of the first instruction.
    length : int
        Number of instructions.
    bases : tuple of int
        Addresses of the regions.
    """

    memory: bytes
    program: int
    length: int
    bases: tuple[int, ...]


def config_instruction(config):
    """Return the first instruction of a program for a configuration."""
    return Instruction(Opcode.CONFIG, {"config_id": config.id})


def place(config, instructions, seed=0, region_bytes=REGION_BYTES, contents=()):
    """Put regions and a program into one memory; what is not given is random."""
    code = b"".join(i if isinstance(i, bytes) else encode(i) for i in instructions)
    start = config.align_bytes
    regions = np.random.default_rng(seed).integers(0, 256, 4 * region_bytes, np.uint8).tobytes()
    for region, given in enumerate(contents):
        begin = region * region_bytes
        regions = regions[:begin] + given + regions[begin + len(given) :]
    program = start + len(regions)
    program += -program % config.align_bytes
    padding = b"\0" * (program - start - len(regions))
    memory = b"\0" * start + regions + padding + code + b"\0" * 4096
    bases = tuple(start + k * region_bytes for k in range(4))
    return Placed(memory, program, len(instructions), bases)


def expected(config, placed, instructions, region_bytes=REGION_BYTES):
    """Return the memory after the program, by the definition of the instructions."""
    memory = np.frombuffer(placed.memory, np.uint8).copy()
    machine = Machine(config, [memory[base : base + region_bytes] for base in placed.bases])
    for instruction in instructions:
        execute(machine, instruction)
    return memory.tobytes()


class _Hazards:
    """Remembers which words and bytes each piece of work touched."""

    def __init__(self):
        self.touched = {Opcode.LOAD: [], Opcode.STORE: []}

    def wait(self, opcode, words, memory):
        """Return how much work of the other engine must be complete, and note this one."""
        other = Opcode.STORE if opcode is Opcode.LOAD else Opcode.LOAD
        earlier = self.touched[other]
        clashes = [n + 1 for n, (w, b) in enumerate(earlier) if w & words or b & memory]
        self.touched[opcode].append((words, memory))
        return max(clashes, default=0)


def copy_program(config, seed, transfers=12, region_bytes=REGION_BYTES, most_words=40):
    """Return random LOADs and STOREs that overlap as far as their hazards let them.

    The first LOAD fills all words that later STOREs take.
    """
    rng, hazards = random.Random(seed), _Hazards()
    program = [config_instruction(config)]
    align, size = config.align_bytes, config.word_bytes
    area = min(config.activation_words, 4 * most_words)
    most = min(area, region_bytes // size)
    fill = {"words": most, "runs": -(-area // most), "pitch": most}
    program.append(Instruction(Opcode.LOAD, fill))
    hazards.wait(Opcode.LOAD, set(range(area)), set(range(0, region_bytes, size)))
    for _ in range(transfers):
        opcode = rng.choice((Opcode.LOAD, Opcode.STORE))
        words = rng.choice((0, 1, 2, 3, rng.randrange(1, most_words)))
        runs = rng.choice((0, 1, 1, 2, rng.randrange(1, 6)))
        memory_pitch = -(-max(words, 1) * size // align) * align + align * rng.randrange(3)
        span = max(runs, 1) * memory_pitch
        region = rng.randrange(4)
        if span > region_bytes:
            runs, span = 1, memory_pitch
        offset = align * rng.randrange((region_bytes - span) // align + 1)
        pitch = words + rng.randrange(4)
        runs = min(runs, (area - 1) // max(1, pitch))
        addr = rng.randrange(area - max(1, runs) * pitch)
        touched = {addr + r * pitch + w for r in range(runs) for w in range(words)}
        start = region * region_bytes + offset
        memory = {
            start + r * memory_pitch + w for r in range(runs) for w in range(0, words * size, size)
        }
        wait = hazards.wait(opcode, touched, memory)
        waiting = "wait_store" if opcode is Opcode.LOAD else "wait_load"
        fields = {
            waiting: wait,
            "region": region,
            "offset": offset,
            "addr": addr,
            "words": words,
            "runs": runs,
            "memory_pitch": memory_pitch,
            "pitch": pitch,
        }
        program.append(Instruction(opcode, fields))
    return [*program, Instruction(Opcode.END, {})]


def compute_program(config, seed, rounds=4):
    """Return a random program for all engines, and the contents of regions 0 and 1.

    Arrays and vector unit read one half of the activation buffer and write the other; rounds
    overlap as far as the halves of the accumulators let them. What earlier programs left in the
    buffers or the accumulators does not matter.
    """
    machine = random_machine(config, seed)
    jobs = Jobs(machine, seed)
    read, write = jobs.halves
    loads, filled = _fill(config), {"wait_load": 3}
    program, vectors = [config_instruction(config), *loads], 0
    for n in range(rounds):
        half = n % 2
        before = {**filled, "wait_vector": max(0, 2 * (n - 1))}
        tile = {"half": half, "pixel": 0, "rows": 4, "columns": 5}
        first = {"accumulate": 0} if n < 2 else {}
        program += _waiting(jobs.mac(read, groups=1, **tile, **first), before)
        drain = jobs.vector(read, write, source=VectorSource.ACCUMULATOR, **tile)
        program += _waiting(drain, {**filled, "wait_mac": n + 1})
        program += _waiting(jobs.vector(read, write, source=VectorSource.ACTIVATION), filled)
        vectors += 2
        fields = {"region": 2, "addr": write[0], "words": len(write), "runs": 1}
        program.append(Instruction(Opcode.STORE, {**fields, "wait_vector": vectors}))
        following = {"wait_store": n + 1, "wait_vector": vectors, "wait_mac": n + 1}
        filled = {"wait_load": len(loads) + n + 1, "wait_store": n + 1}
        again = {**loads[0].fields, **following, "words": len(read)}
        program.append(Instruction(Opcode.LOAD, again))
    program.append(Instruction(Opcode.END, {}))
    weights, parameters = machine.weight.tobytes(), machine.parameter.tobytes()
    return program, (weights + parameters, machine.activation.tobytes())


def _fill(config):
    """Return LOADs of the whole activation, weight and parameter buffers."""
    sizes = (config.activation_bytes, config.weight_bytes, config.parameter_bytes)
    places = ((1, 0), (0, 0), (0, config.weight_bytes))
    return [
        Instruction(
            Opcode.LOAD,
            {
                "buffer": int(buffer),
                "words": size // config.word_bytes,
                "runs": 1,
                "region": region,
                "offset": offset,
            },
        )
        for buffer, size, (region, offset) in zip(Buffer, sizes, places, strict=True)
    ]


def _waiting(job, waits):
    """Return a job whose work waits."""
    *settings, work = job
    return [*settings, Instruction(work.opcode, {**work.fields, **waits})]
