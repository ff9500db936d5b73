"""Cocotb bench: the STORE engine between a hostile memory and a buffer that holds back."""

import itertools

import cocotb
from cocotb.triggers import ClockCycles

from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.registers import Error
from shiftloom.isa.semantics import execute
from tests.rtl.designs import CONFIGS
from tests.rtl.memory import Memory, connect_memory, monitor
from tests.rtl.streams import send, start, until, watch
from tests.rtl.transfers import (
    BASES,
    failure_of,
    jobs_of,
    machine_of,
    memory_of,
    number,
    payloads,
    serve_words,
)
from tests.support.stalls import sometimes


async def store(dut, name, jobs, *, stalls, delay=0, bad=range(0)):
    """Return memory, answers before each completion, failures, bursts and the machine."""
    config, machine = CONFIGS[name], machine_of(CONFIGS[name], seed=2)
    memory = Memory(memory_of(machine), delay)
    memory.bad = bad
    answers, dones, failures, bursts = [], [], [], []

    def note(done, failure, answered, taken):
        if answered and taken:
            answers.append(done)
        if done:
            dones.append(len(answers))
        if failure_of(failure):
            failures.append(failure_of(failure))

    connect_memory(dut, f"{name}_m_axi", dut.clk, dut.rst, memory, stalls=stalls)
    await start(dut, **{f"{name}_bases_{n}": base for n, base in enumerate(BASES)})
    cocotb.start_soon(monitor(dut, f"{name}_m_axi", dut.clk, config, bursts))
    signals = ("store_done", "store_failure", "m_axi_bvalid", "m_axi_bready")
    cocotb.start_soon(watch(dut, [f"{name}_{signal}" for signal in signals], note))
    words = [number(word) for word in machine.activation]
    cocotb.start_soon(serve_words(dut, f"{name}_read", words, sometimes(stalls, 8)))
    cocotb.start_soon(send(dut, f"{name}_store_job", payloads(jobs), sometimes(stalls, 9)))
    await until(dut, lambda: len(dones) == len(jobs))
    await ClockCycles(dut.clk, 20)
    assert len(dones) == len(jobs)
    assert dut[f"{name}_idle"].value
    return memory.data, dones, failures, bursts, machine


def answers_needed(config, jobs, bursts):
    """Return how many bursts belong to each job and those before it."""
    ends = list(itertools.accumulate(beats for _, _, beats in bursts))
    beats = [j["runs"] * -(-j["words"] * config.word_bytes // config.bus_bytes) for j in jobs]
    totals = list(itertools.accumulate(beats))
    assert ends[-1] == totals[-1]
    return [sum(end <= total for end in ends) for total in totals]


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.5], delay=[0, 9])
async def words_reach_memory_before_a_job_is_done(dut, name, stalls, delay):
    jobs = jobs_of(Opcode.STORE, CONFIGS[name], seed=delay)
    memory, dones, failures, bursts, machine = await store(
        dut, name, jobs, stalls=stalls, delay=delay
    )
    for job in jobs:
        execute(machine, job)
    assert memory == memory_of(machine)
    needed = answers_needed(CONFIGS[name], jobs, bursts)
    assert all(done >= need for done, need in zip(dones, needed, strict=True))
    assert not failures


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.6])
async def a_failure_names_its_job_and_the_rest_goes_on(dut, name, stalls):
    fields = {"words": 24, "runs": 1, "region": 2}
    jobs = [Instruction(Opcode.STORE, {**fields, "offset": 512 * n}) for n in range(6)]
    address = BASES[2] + 4 * 512 + 64
    bad = range(address, address + CONFIGS[name].bus_bytes)
    memory, _, failures, _, machine = await store(dut, name, jobs, stalls=stalls, bad=bad)
    assert failures == [(Error.STORE_BUS, 12)]
    before = memory_of(machine)[bad.start : bad.stop]
    for job in jobs:
        execute(machine, job)
    wanted = memory_of(machine)
    wanted[bad.start : bad.stop] = before
    assert memory == wanted
