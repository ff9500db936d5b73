"""EngineQueue: settings, waits and order."""

import random

import pytest

from shiftloom.hw.engine_queue import QUEUE_DEPTH, EngineQueue
from shiftloom.isa.instructions import ENGINES, FORMATS, Engine, Instruction, Opcode, encode
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes

SETTINGS = {
    Engine.LOAD: {},
    Engine.MAC: {"loops": Opcode.MAC_LOOPS},
    Engine.VECTOR: {"loops": Opcode.VECTOR_LOOPS, "requantize": Opcode.VECTOR_REQUANTIZE},
    Engine.STORE: {},
}
WORK = {e: Opcode[e.name] for e in ENGINES}


def random_instruction(opcode, rng, waits):
    """Return an instruction with random fields and given waits."""
    fields = {f.name: rng.randint(f.low, f.high) for f in FORMATS[opcode][1:]}
    return Instruction(opcode, {k: waits.get(k, v) for k, v in fields.items()})


def raw(instruction, index):
    """Return the payload of an instruction."""
    return {"bits": int.from_bytes(encode(instruction), "little"), "index": index}


def no_waits(count=0):
    """Return wait fields that ask for no more than ``count``."""
    return {f"wait_{e.name.lower()}": count for e in ENGINES}


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("engine", ENGINES)
def test_job_carries_the_settings_in_force(simulate, engine, stalls):
    rng, dut = random.Random(int(engine)), EngineQueue(engine)
    opcodes = [rng.choice([*SETTINGS[engine].values(), WORK[engine]]) for _ in range(40)]
    program = [*SETTINGS[engine].values(), *opcodes, WORK[engine]]
    instructions = [random_instruction(opcode, rng, no_waits()) for opcode in program]
    wanted, held = [], {}
    for index, instruction in enumerate(instructions):
        held[instruction.opcode] = instruction
        if instruction.opcode is WORK[engine]:
            parts = {name: held[opcode] for name, opcode in SETTINGS[engine].items()}
            wanted.append(({**parts, "work": instruction}, index))
    jobs = []

    async def producer(ctx):
        payloads = [raw(i, n) for n, i in enumerate(instructions)]
        await send(ctx, dut.i, payloads, sometimes(stalls, 1))

    async def consumer(ctx):
        jobs.extend(await receive(ctx, dut.job, len(wanted), sometimes(stalls, 2)))

    simulate(dut, producer, consumer)
    for job, (parts, index) in zip(jobs, wanted, strict=True):
        assert job.index == index
        for name, instruction in parts.items():
            for field in FORMATS[instruction.opcode][1:]:
                assert job[name][field.name] == instruction[field.name], (name, field.name)


@pytest.mark.parametrize("other", ENGINES)
def test_work_waits_for_each_engine(simulate, other):
    dut = EngineQueue(Engine.MAC)
    waits = {**no_waits(), f"wait_{other.name.lower()}": 300}
    work = random_instruction(Opcode.MAC, random.Random(0), waits)

    async def check(ctx):
        ctx.set(dut.job.ready, 1)
        await send(ctx, dut.i, [raw(work, 0)])
        for engine in ENGINES:
            ctx.set(dut.completed[engine], 299 if engine is other else 0)
        await ctx.tick().repeat(5)
        assert not ctx.get(dut.job.valid)
        ctx.set(dut.completed[other], 300)
        assert ctx.get(dut.job.valid)
        await ctx.tick()
        assert not ctx.get(dut.job.valid)

    simulate(dut, check)


def test_latency_and_throughput(simulate):
    dut, cycles = EngineQueue(Engine.STORE), []
    work = random_instruction(Opcode.STORE, random.Random(0), no_waits())

    async def producer(ctx):
        await send(ctx, dut.i, [raw(work, n) for n in range(6)])

    async def observer(ctx):
        ctx.set(dut.job.ready, 1)
        for cycle in range(12):
            _, _, valid = await ctx.tick().sample(dut.job.valid)
            cycles.extend([cycle] * valid)

    simulate(dut, producer, observer)
    assert cycles == list(range(dut.latency, dut.latency + 6))


def test_queue_holds_its_depth(simulate):
    dut = EngineQueue(Engine.LOAD)
    work = random_instruction(Opcode.LOAD, random.Random(0), no_waits(1))

    async def check(ctx):
        await send(ctx, dut.i, [raw(work, n) for n in range(QUEUE_DEPTH)])
        await ctx.tick().repeat(3)
        assert not ctx.get(dut.i.ready)
        assert not ctx.get(dut.job.valid)

    simulate(dut, check)
