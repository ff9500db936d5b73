"""Cocotb bench: engine queues hold work back until what it waits for is done."""

import random

import cocotb
from cocotb.triggers import ClockCycles

from shiftloom.hw.interfaces import instruction_layout, job_layout, job_parts
from shiftloom.isa.instructions import ENGINES, FORMATS, Instruction, encode
from tests.rtl.designs import ENGINE_QUEUES
from tests.rtl.streams import receive, send, start, until, watch
from tests.support.stalls import sometimes

WAITS = [f"wait_{engine.name.lower()}" for engine in ENGINES]


def raw(instruction, index):
    """Return what the queue takes."""
    bits = int.from_bytes(encode(instruction), "little")
    return instruction_layout().const({"bits": bits, "index": index}).as_bits()


def program_of(engine, count):
    """Return settings of each kind, then random settings and work; waits grow."""
    settings = [opcode for name, opcode in job_parts(engine).items() if name != "work"]
    work = job_parts(engine)["work"]
    opcodes = [*settings, *(random.choice([*settings, work]) for _ in range(count)), work]
    program, waits = [], dict.fromkeys(WAITS, 0)
    for opcode in opcodes:
        fields = {f.name: random.randint(f.low, f.high) for f in FORMATS[opcode][1:]}
        waits[random.choice(WAITS)] += random.randrange(40)
        program.append(Instruction(opcode, {k: waits.get(k, v) for k, v in fields.items()}))
    return program


def jobs_of(engine, program):
    """Return the payloads of the jobs, and what each waits for."""
    layout, held, jobs = job_layout(engine), {}, []
    names = {opcode: name for name, opcode in job_parts(engine).items()}
    for index, instruction in enumerate(program):
        name = names[instruction.opcode]
        held[name] = {"opcode": int(instruction.opcode), **instruction.fields}
        if name == "work":
            waits = [held["work"][wait] for wait in WAITS]
            jobs.append((layout.const({**held, "index": index}).as_bits(), waits))
    return jobs


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(ENGINE_QUEUES), stalls=[0.0, 0.5], rate=[0.3, 1.0])
async def jobs_wait_and_carry_the_settings_in_force(dut, name, stalls, rate):
    await start(dut)
    program = program_of(ENGINE_QUEUES[name], count=120)
    jobs, received, counts = jobs_of(ENGINE_QUEUES[name], program), [], [0] * len(ENGINES)
    ports = [f"{name}_completed_{n}" for n in range(len(ENGINES))]

    def check(valid, ready, bits, *completed):
        if valid:
            wanted, waits = jobs[len(received)]
            assert bits == wanted
            assert all(count >= wait for count, wait in zip(completed, waits, strict=True))
        received.extend([bits] * (valid and ready))
        for n, port in enumerate(ports):
            counts[n] += 2 * (random.random() < rate)
            dut[port].value = counts[n]

    payloads = [raw(instruction, n) for n, instruction in enumerate(program)]
    signals = [*(f"{name}_job_{n}" for n in ("valid", "ready", "payload")), *ports]
    cocotb.start_soon(watch(dut, signals, check))
    cocotb.start_soon(send(dut, f"{name}_i", payloads, sometimes(stalls, 1)))
    cocotb.start_soon(receive(dut, f"{name}_job", sometimes(stalls, 2)))
    await until(dut, lambda: len(received) == len(jobs))


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(name=list(ENGINE_QUEUES), other=list(range(len(ENGINES))))
async def each_wait_counts(dut, name, other):
    await start(dut, **{f"{name}_job_ready": 1})
    work, begun = job_parts(ENGINE_QUEUES[name])["work"], []
    fields = {f.name: 0 for f in FORMATS[work][1:]} | {WAITS[other]: 0x8001}
    await send(dut, f"{name}_i", [raw(Instruction(work, fields), 1)])
    cocotb.start_soon(watch(dut, [f"{name}_job_valid"], begun.append))
    for n, _ in enumerate(ENGINES):
        dut[f"{name}_completed_{n}"].value = 0x8000 if n == other else 0xFFFF
    await ClockCycles(dut.clk, 6)
    assert not any(begun)
    dut[f"{name}_completed_{other}"].value = 0x8001
    await until(dut, lambda: any(begun))
