"""Cocotb bench: the LOAD engine between a hostile memory and buffers that hold back."""

import cocotb
from cocotb.triggers import ClockCycles

from shiftloom.hw.interfaces import write_layout
from shiftloom.isa.instructions import Buffer, Instruction, Opcode
from shiftloom.isa.registers import Error
from shiftloom.isa.semantics import execute
from tests.rtl.designs import CONFIGS
from tests.rtl.memory import Memory, connect_memory, monitor
from tests.rtl.streams import receive, send, start, until, watch
from tests.rtl.transfers import (
    BASES,
    failure_of,
    jobs_of,
    machine_of,
    memory_of,
    number,
    payloads,
)
from tests.support.stalls import sometimes

PORTS = {buffer: buffer.name.lower() for buffer in Buffer}


async def load(dut, name, jobs, *, stalls, delay=0, bad=range(0)):
    """Return the writes ``(buffer, addr, data)`` of each job, failures and the machine."""
    config, machine = CONFIGS[name], machine_of(CONFIGS[name], seed=1)
    memory = Memory(memory_of(machine), delay)
    memory.bad = bad
    layouts = [write_layout(len(getattr(machine, port)), config) for port in PORTS.values()]
    writes, dones, failures = [], [], []

    def note(done, failure, *ports):
        for buffer in Buffer:
            valid, ready, payload = ports[3 * buffer : 3 * buffer + 3]
            if valid and ready:
                word = layouts[buffer].from_bits(payload)
                writes.append((buffer, word.addr, word.data))
        if done:
            dones.append(len(writes))
        if failure_of(failure):
            failures.append(failure_of(failure))

    connect_memory(dut, f"{name}_m_axi", dut.clk, dut.rst, memory, stalls=stalls)
    await start(dut, **{f"{name}_bases_{n}": base for n, base in enumerate(BASES)})
    cocotb.start_soon(monitor(dut, f"{name}_m_axi", dut.clk, config, bursts=[]))
    signals = [
        f"{name}_{port}_{n}" for port in PORTS.values() for n in ("valid", "ready", "payload")
    ]
    signals = [f"{name}_load_done", f"{name}_load_failure", *signals]
    cocotb.start_soon(watch(dut, signals, note))
    for buffer, port in PORTS.items():
        cocotb.start_soon(receive(dut, f"{name}_{port}", sometimes(stalls, buffer)))
    cocotb.start_soon(send(dut, f"{name}_load_job", payloads(jobs), sometimes(stalls, 7)))
    await until(dut, lambda: len(dones) == len(jobs))
    await ClockCycles(dut.clk, 20)
    assert len(dones) == len(jobs)
    assert dut[f"{name}_idle"].value
    return (
        [writes[a:b] for a, b in zip([0, *dones], [*dones, None], strict=True)],
        failures,
        machine,
    )


def expected(machine, job):
    """Return the writes that a job must cause."""
    execute(machine, job)
    buffer = Buffer(job["buffer"])
    words = getattr(machine, PORTS[buffer])
    starts = [job["addr"] + run * job["pitch"] for run in range(job["runs"])]
    places = [start + word for start in starts for word in range(job["words"])]
    return [(buffer, place, number(words[place])) for place in places]


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.5], delay=[0, 9])
async def words_reach_their_buffers(dut, name, stalls, delay):
    jobs = jobs_of(Opcode.LOAD, CONFIGS[name], seed=delay)
    writes, failures, machine = await load(dut, name, jobs, stalls=stalls, delay=delay)
    assert writes == [*(expected(machine, job) for job in jobs), []]
    assert not failures


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.6], whole=[False, True])
async def a_failure_names_its_job_and_the_rest_goes_on(dut, name, stalls, whole):
    pitch, config = 512, CONFIGS[name]
    fields = {"words": 24, "runs": 1, "pitch": 24, "region": 1}
    jobs = [Instruction(Opcode.LOAD, {**fields, "offset": pitch * n}) for n in range(6)]
    start = BASES[1] + 3 * pitch
    one_beat = range(start + 64, start + 64 + config.bus_bytes)
    bad = range(start, start + 24 * config.word_bytes) if whole else one_beat
    writes, failures, machine = await load(dut, name, jobs, stalls=stalls, bad=bad)
    assert failures == [(Error.LOAD_BUS, 9)] * max(1, len(bad) // config.word_bytes)
    wanted = [expected(machine, job) for job in jobs]
    assert [w for n, w in enumerate(writes) if n != 3] == [*wanted[:3], *wanted[4:], []]
    assert [w[:2] for w in writes[3]] == [w[:2] for w in wanted[3]]
