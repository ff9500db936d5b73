"""Accelerator: whole programs of LOAD and STORE, and everything that can go wrong."""

import dataclasses

import pytest

from shiftloom.hw import machine
from shiftloom.hw.accelerator import Accelerator
from shiftloom.isa.config import load_config
from shiftloom.isa.instructions import Engine, Instruction, Opcode
from shiftloom.isa.registers import Control, Error, Status
from tests.support.bus import BusMemory, Host
from tests.support.programs import config_instruction, copy_program, expected, place
from tests.support.stand_in import StandIn

TINY = dataclasses.replace(
    load_config("tiny"), activation_bytes=4096, weight_bytes=1024, parameter_bytes=2048
)
CONFIG = config_instruction(TINY)
END = Instruction(Opcode.END, {})
LOAD = Instruction(Opcode.LOAD, {"words": 100, "runs": 1, "memory_pitch": 512})
STORE = Instruction(Opcode.STORE, {**LOAD.fields, "region": 1, "offset": 1024})
DONE, ERROR = 1 << Status.DONE, 1 << Status.ERROR


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """Put a buffer without engines into the machine."""
    monkeypatch.setattr(machine, "Compute", StandIn)


def run(simulate, config, placed, test, **bus):
    """Run a test that gets host and memory beside an accelerator."""
    dut = Accelerator(config, trace=True)
    memory = BusMemory(dut.m_axi, bytearray(placed.memory), config.bus_bytes, **bus)

    async def testbench(ctx):
        await test(ctx, dut, Host(ctx, dut.s_axi), memory)

    simulate(dut, testbench, background=[memory.serve], timeout=20_000)
    return memory


def run_program(simulate, config, instructions, *, seed=0, stalls=0.0, latency=3):
    """Run a program to its end, and compare memory with its definition; return the memory."""
    placed = place(config, instructions, seed)

    async def test(ctx, dut, host, memory):
        await host.start(placed)
        assert await host.wait() == DONE
        assert memory.quiet
        assert await host.read("READ_BEATS") == memory.read_beats
        assert await host.read("WRITE_BEATS") == memory.write_beats
        work = [i.opcode for i in instructions]
        for engine in Engine:
            assert await host.read(f"{engine.name}_WORK") == work.count(Opcode[engine.name])

    memory = run(simulate, config, placed, test, stalls=stalls, latency=latency, seed=seed)
    assert memory.data == expected(config, placed, instructions)
    return memory


NARROW = dataclasses.replace(load_config("odd"), bus_bytes=4, burst_beats=1)
WIDE = dataclasses.replace(TINY, bus_bytes=64, burst_beats=4)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("config", [TINY, load_config("base"), NARROW, WIDE])
def test_copies_follow_the_definition(simulate, monkeypatch, config, stalls):
    monkeypatch.setattr(StandIn, "stalls", bool(stalls))
    program = copy_program(config, config.bus_bytes, transfers=16)
    run_program(simulate, config, program, stalls=stalls, latency=3 if stalls else 40)


def test_work_waits_for_every_engine(simulate):
    mac = Instruction(Opcode.MAC, {"rows": 30, "wait_load": 1})
    vector = Instruction(Opcode.VECTOR, {"rows": 50, "wait_mac": 2})
    late = Instruction(Opcode.STORE, {**STORE.fields, "wait_vector": 1, "wait_load": 1})
    again = Instruction(Opcode.LOAD, {**LOAD.fields, "wait_store": 1})
    program = [CONFIG, LOAD, mac, again, mac, vector, late, END]
    order = []

    async def test(ctx, dut, host, memory):
        await host.start(placed)
        while len(order) < 12:
            _, _, starts, dones = await ctx.tick().sample(dut.trace_start, dut.trace_done)
            for engine in Engine:
                if dones >> engine & 1:
                    order.append((engine, "done"))
            for engine in Engine:
                if starts >> engine & 1:
                    order.append((engine, "start"))
        assert await host.wait() == DONE

    placed = place(TINY, program)
    memory = run(simulate, TINY, placed, test)
    work = [i for i in program if i.opcode in (Opcode.LOAD, Opcode.STORE)]
    assert memory.data == expected(TINY, placed, work)
    one_after_the_other = (Engine.LOAD, Engine.MAC, Engine.MAC, Engine.VECTOR, Engine.STORE)
    steps = [(e, s) for e in (*one_after_the_other, Engine.LOAD) for s in ("start", "done")]
    assert [(e, s) for e, s in order if s == "done"] == steps[1::2]
    assert order == steps


def test_full_queues_do_not_block_the_bus(simulate):
    # MACs wait for the last LOAD, fill their queue and hold up instructions behind them.
    macs = [Instruction(Opcode.MAC, {"rows": 1, "wait_load": 2})] * 16
    program = [CONFIG, LOAD, LOAD, *macs, *macs, STORE, END]
    placed = place(TINY, program)

    async def test(ctx, dut, host, memory):
        await host.start(placed)
        assert await host.wait() == DONE
        assert await host.read("MAC_WORK") == 32

    run(simulate, TINY, placed, test, latency=60)


GOOD = [CONFIG, LOAD, Instruction(Opcode.STORE, {**STORE.fields, "wait_load": 1}), END]
OTHER = Instruction(Opcode.CONFIG, {"config_id": TINY.id ^ 1})
WRONG = {
    "illegal opcode": ([CONFIG, LOAD, LOAD, bytes(32), END], None, Error.ILLEGAL_OPCODE, 3),
    "another configuration": ([OTHER, LOAD, END], None, Error.WRONG_CONFIG, 0),
    "no configuration": ([LOAD, END], None, Error.WRONG_CONFIG, 0),
    "no end": ([CONFIG, LOAD, LOAD], None, Error.NO_END, 3),
    "no instructions": ([], None, Error.NO_END, 0),
    "fetch": ([*GOOD[:2], *[LOAD] * 40, END], ("program", 32 * 20), Error.FETCH_BUS, 20),
    "first fetch": (GOOD, ("program", 0), Error.FETCH_BUS, 0),
    "load": ([CONFIG, *[LOAD] * 6, END], (0, 256), Error.LOAD_BUS, 1),
    "store": ([*GOOD[:3], *[LOAD] * 20, END], (1, 1024 + 80), Error.STORE_BUS, 2),
}


@pytest.mark.parametrize(
    ("what", "stalls"), [*((what, 0.0) for what in WRONG), *((w, 0.4) for w in ("load", "store"))]
)
def test_failure_is_reported_and_a_good_program_runs_after(simulate, what, stalls):
    program, bad, code, index = WRONG[what]
    placed, good = place(TINY, program), place(TINY, GOOD, seed=5)

    async def test(ctx, dut, host, memory):
        if bad is not None:
            base = placed.program if bad[0] == "program" else placed.bases[bad[0]]
            memory.bad = range(base + bad[1], base + bad[1] + TINY.bus_bytes)
        await host.start(placed)
        assert await host.wait() == ERROR
        assert await host.read("ERROR") == code
        assert await host.read("ERROR_INDEX") == index
        assert memory.quiet
        bursts = len(memory.bursts)
        await ctx.tick().repeat(50)
        assert len(memory.bursts) == bursts, "a burst was issued after the error was reported"

        memory.bad = range(0)
        for reset in (True, False):
            if reset:
                await host.write("CONTROL", 1 << Control.RESET)
                assert await host.wait() == 0
                assert await host.read("ERROR") == Error.NONE
            memory.data[:] = good.memory.ljust(len(memory.data), b"\0")[: len(memory.data)]
            memory.data += bytes(len(good.memory))
            await host.start(good)
            assert await host.wait() == DONE
            wanted = expected(TINY, good, GOOD)
            assert memory.data[: len(wanted)] == wanted

    run(simulate, TINY, placed, test, stalls=stalls, latency=12)


@pytest.mark.parametrize(("when", "stalls"), [(1, 0.0), (50, 0.5), (75, 0.0), (200, 0.5)])
def test_reset_at_any_time_leaves_the_bus_in_order(simulate, when, stalls):
    program = [CONFIG]
    for n in range(8):
        place_of = {"offset": 256 * n, "addr": 100 * n}
        program.append(Instruction(Opcode.LOAD, {**LOAD.fields, **place_of}))
        fields = {**STORE.fields, **place_of, "wait_load": n + 1}
        program.append(Instruction(Opcode.STORE, fields))
    program.append(END)
    placed = place(TINY, program)

    async def test(ctx, dut, host, memory):
        await host.start(placed)
        await ctx.tick().repeat(when)
        await host.write("CONTROL", 1 << Control.RESET)
        assert await host.wait() == 0
        assert memory.quiet
        memory.data[:] = placed.memory
        await host.start(placed)
        assert await host.wait() == DONE

    memory = run(simulate, TINY, placed, test, stalls=stalls, latency=10)
    assert memory.data == expected(TINY, placed, program)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_reset_completes_writes_in_flight_and_begins_no_more(simulate, stalls):
    fields = {"words": 100, "runs": 8, "memory_pitch": 512, "wait_load": 1}
    store = Instruction(Opcode.STORE, {**fields, "region": 1})
    program = [CONFIG, LOAD, store, END]
    placed = place(TINY, program)

    async def test(ctx, dut, host, memory):
        await host.start(placed)
        while not (memory.writes or memory.answers):
            await ctx.tick()
        await host.write("CONTROL", 1 << Control.RESET)
        assert await host.wait() == 0
        assert memory.quiet
        issued = len(memory.bursts)
        assert memory.write_beats < 8 * 100 * TINY.word_bytes // TINY.bus_bytes
        await ctx.tick().repeat(60)
        assert len(memory.bursts) == issued

    memory = run(simulate, TINY, placed, test, stalls=stalls, latency=30)
    wanted = expected(TINY, placed, program)
    choices = zip(memory.data, wanted, placed.memory, strict=True)
    assert all(byte in (new, old) for byte, new, old in choices)
