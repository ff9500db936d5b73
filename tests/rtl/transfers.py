"""Random transfers for the benches of LOAD and STORE, and the machine that defines them."""

import random

import numpy as np
from cocotb.triggers import RisingEdge

from shiftloom.hw.interfaces import failure_layout, job_layout
from shiftloom.isa.instructions import Engine, Instruction, Opcode
from shiftloom.isa.registers import Error
from shiftloom.isa.semantics import Machine

__all__ = [
    "BASES",
    "failure_of",
    "jobs_of",
    "machine_of",
    "memory_of",
    "number",
    "payloads",
    "serve_words",
]

GARBAGE = 0x5A5A5A5A
REGION_BYTES = 1 << 13

#: Regions begin and end anywhere in a page.
BASES = (0x0FC0, 0x4000, 0x6F80, 0x9000)


def number(word):
    """Return a word as a number."""
    return int.from_bytes(word.tobytes(), "little")


def machine_of(config, seed):
    """Return a machine with random memory and activations."""
    rng = np.random.default_rng(seed)
    regions = [rng.integers(0, 256, REGION_BYTES, np.uint8) for _ in BASES]
    machine = Machine(config, regions)
    machine.activation[:] = rng.integers(0, 256, machine.activation.shape, np.uint8)
    return machine


def memory_of(machine):
    """Return the memory that holds a machine's regions."""
    memory = bytearray(BASES[-1] + REGION_BYTES)
    for base, region in zip(BASES, machine.regions, strict=True):
        memory[base : base + REGION_BYTES] = region.tobytes()
    return memory


def jobs_of(opcode, config, seed, count=40):
    """Return random transfers, empty and long ones among them."""
    rng, align = random.Random(seed), config.align_bytes
    jobs = []
    for _ in range(count):
        words, runs = rng.choice((0, 1, 2, 7, 20, 50)), rng.choice((0, 1, 1, 2, 3))
        memory_pitch = align * -(-max(1, words) * config.word_bytes // align + rng.randrange(2))
        pitch = words + rng.randrange(8)
        fields = {
            "region": rng.randrange(4),
            "offset": align * rng.randrange((REGION_BYTES - 3 * memory_pitch) // align),
            "addr": rng.randrange(config.activation_words - 3 * pitch),
            "words": words,
            "runs": runs,
            "memory_pitch": memory_pitch,
            "pitch": pitch,
        }
        if opcode is Opcode.LOAD:
            fields["buffer"] = rng.randrange(3)
        jobs.append(Instruction(opcode, fields))
    return jobs


def payloads(jobs):
    """Return what an engine takes; every third index is a job's."""
    layout = job_layout(Engine[jobs[0].opcode.name])
    fields = [{"opcode": int(job.opcode), **job.fields} for job in jobs]
    return [layout.const({"work": f, "index": 3 * n}).as_bits() for n, f in enumerate(fields)]


def failure_of(bits):
    """Return code and index of a failure port, or None."""
    failure = failure_layout().from_bits(bits)
    return None if failure.code == Error.NONE else (failure.code, failure.index)


async def serve_words(dut, port, words, stalls):
    """Stand in for the activation buffer for ever; what was not asked for is garbage."""
    while True:
        willing = not next(stalls)
        dut[f"{port}_addr_ready"].value = willing
        await RisingEdge(dut.clk)
        reads = willing and dut[f"{port}_addr_valid"].value
        addr = int(dut[f"{port}_addr_payload"].value)
        dut[f"{port}_data"].value = words[addr] if reads else GARBAGE
