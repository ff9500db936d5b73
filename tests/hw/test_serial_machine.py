"""The serial machine as a whole: transfers on a hostile bus, failures, and resets."""

import pytest

from shiftloom.hw.accelerator import Accelerator
from shiftloom.isa.instructions import Instruction, Opcode
from shiftloom.isa.registers import Control, Error, Status
from tests.support.bus import BusMemory, Host
from tests.support.programs import config_instruction, copy_program, expected, place
from tests.support.serial import SMALL

CONFIG = config_instruction(SMALL)
END = Instruction(Opcode.END, {})
LOAD = Instruction(Opcode.LOAD, {"words": 40, "runs": 1, "memory_pitch": 256})
STORE = Instruction(Opcode.STORE, {**LOAD.fields, "region": 1, "offset": 1024})
GOOD = [CONFIG, LOAD, STORE, END]
DONE, ERROR = 1 << Status.DONE, 1 << Status.ERROR


def run(simulate, placed, test, **bus):
    """Run a test that gets host and memory beside the machine; return the memory."""
    dut = Accelerator(SMALL)
    memory = BusMemory(dut.m_axi, bytearray(placed.memory), SMALL.bus_bytes, **bus)

    async def testbench(ctx):
        await test(ctx, Host(ctx, dut.s_axi), memory)

    simulate(dut, testbench, background=[memory.serve], timeout=20_000)
    return memory


def test_copies_follow_the_definition(simulate):
    program = copy_program(SMALL, seed=3, transfers=6, most_words=20)
    placed = place(SMALL, program)

    async def test(ctx, host, memory):
        await host.start(placed)
        assert await host.wait() == DONE and memory.quiet
        assert await host.read("CYCLES") > 8 * len(program)

    memory = run(simulate, placed, test, stalls=0.3, latency=3)
    assert memory.data == expected(SMALL, placed, program)


OTHER = Instruction(Opcode.CONFIG, {"config_id": SMALL.id ^ (1 << 31)})
WRONG = {
    "illegal opcode": ([CONFIG, bytes(32), END], None, Error.ILLEGAL_OPCODE, 1),
    "another configuration": ([OTHER, LOAD, END], None, Error.WRONG_CONFIG, 0),
    "no configuration": ([LOAD, END], None, Error.WRONG_CONFIG, 0),
    "no end": ([CONFIG, LOAD], None, Error.NO_END, 2),
    "fetch": ([*GOOD[:2], END], ("program", 32), Error.FETCH_BUS, 1),
    "load": ([CONFIG, LOAD, LOAD, END], (0, 40), Error.LOAD_BUS, 1),
    "store": ([*GOOD[:3], LOAD, END], (1, 1024 + 40), Error.STORE_BUS, 2),
}


#: Bursts up to the second of three, which fails; STORE has sent its third before that is seen.
_BURSTS = {"load": 2 + 2, "store": 3 + 3 + 3}

#: The others take as long, and find less.
_QUICK = ("no end", "store")


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=() if w in _QUICK else pytest.mark.slow) for w in WRONG]
)
def test_failure_is_reported_and_a_good_program_runs_after(simulate, what):
    program, bad, code, index = WRONG[what]
    placed, good = place(SMALL, program), place(SMALL, GOOD, seed=5)

    async def test(ctx, host, memory):
        if bad is not None:
            base = placed.program if bad[0] == "program" else placed.bases[bad[0]]
            memory.bad = range(base + bad[1], base + bad[1] + SMALL.bus_bytes)
        await host.start(placed)
        assert await host.wait() == ERROR
        assert await host.read("ERROR") == code and await host.read("ERROR_INDEX") == index
        assert memory.quiet
        bursts = len(memory.bursts)
        if what in _BURSTS:
            assert bursts == _BURSTS[what], "a burst follows the one that failed"
        await ctx.tick().repeat(50)
        assert len(memory.bursts) == bursts, "a burst was issued after the error was reported"

        memory.bad = range(0)
        memory.data[:] = good.memory.ljust(len(memory.data), b"\0")[: len(memory.data)]
        memory.data += good.memory[len(memory.data) :]
        await host.start(good)
        assert await host.wait() == DONE
        wanted = expected(SMALL, good, GOOD)
        assert memory.data[: len(wanted)] == wanted

    run(simulate, placed, test, latency=6)


@pytest.mark.parametrize(
    "when", [140, *(pytest.param(when, marks=pytest.mark.slow) for when in (1, 40, 90))]
)
def test_reset_at_any_time_leaves_the_bus_in_order(simulate, when):
    placed = place(SMALL, GOOD)

    async def test(ctx, host, memory):
        await host.start(placed)
        await ctx.tick().repeat(when)
        await host.write("CONTROL", 1 << Control.RESET)
        assert await host.wait() == 0
        assert memory.quiet
        memory.data[:] = placed.memory
        await host.start(placed)
        assert await host.wait() == DONE

    memory = run(simulate, placed, test, stalls=0.3, latency=8)
    assert memory.data == expected(SMALL, placed, GOOD)
