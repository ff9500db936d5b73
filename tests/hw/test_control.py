"""Control: registers, start, end, failure and reset."""

import pytest

from shiftloom.hw.control import Control
from shiftloom.hw.sequencer import FAILURES
from shiftloom.isa.config import ISA_VERSION, load_config
from shiftloom.isa.instructions import Engine
from shiftloom.isa.registers import REGISTERS, Error, Status, register
from shiftloom.isa.registers import Control as Bit
from tests.support.bus import Host
from tests.support.serial import SERIAL

TINY = load_config("tiny")
START, RESET, ENABLE = (1 << bit for bit in (Bit.START, Bit.RESET, Bit.INTERRUPT_ENABLE))
BUSY, DONE, ERROR = (1 << bit for bit in (Status.BUSY, Status.DONE, Status.ERROR))


def run(simulate, test, config=TINY):
    """Run a test that gets the context, the component and its host."""
    dut = Control(config)

    async def testbench(ctx):
        ctx.set(dut.idle, 1)
        await test(ctx, dut, Host(ctx, dut.s_axi))

    simulate(dut, testbench)


def test_registers_after_reset(simulate):
    values = {"CONFIG_ID": TINY.id, "ISA_VERSION": ISA_VERSION}

    async def test(ctx, dut, host):
        for entry in REGISTERS:
            assert await host.read(entry.name) == values.get(entry.name, 0), entry.name

    run(simulate, test)


def test_written_registers_read_back_and_reach_the_machine(simulate):
    names = ["PROGRAM", "PROGRAM_LENGTH", *(f"BASE{n}" for n in range(4))]

    async def test(ctx, dut, host):
        for n, name in enumerate(names):
            await host.write(name, 0x00012340 + n)
        for n, name in enumerate(names):
            assert await host.read(name) == 0x00012340 + n
        assert ctx.get(dut.program_addr) == 0x00012340
        assert ctx.get(dut.length) == 0x00012341
        assert [ctx.get(base) for base in dut.bases] == [0x00012342 + n for n in range(4)]

    run(simulate, test)


def test_strobes_choose_bytes(simulate):
    async def test(ctx, dut, host):
        await host.write("BASE2", 0x11223344)
        await host.write("BASE2", 0xAABBCCDD, strobe=0b0101)
        assert await host.read("BASE2") == 0x11BB33DD
        await host.write("CONTROL", START, strobe=0b1110)
        assert await host.read("STATUS") == 0

    run(simulate, test)


def test_length_saturates(simulate):
    async def test(ctx, dut, host):
        await host.write("PROGRAM_LENGTH", 0x00100000)
        assert await host.read("PROGRAM_LENGTH") == 0xFFFFF

    run(simulate, test)


def test_read_only_registers_stay(simulate):
    async def test(ctx, dut, host):
        for entry in REGISTERS:
            if entry.access == "ro":
                before = await host.read(entry.name)
                await host.write(entry.name, ~before & 0xFFFFFFFF)
                assert await host.read(entry.name) == before

    run(simulate, test)


def test_start_clears_then_runs_to_the_end(simulate):
    async def test(ctx, dut, host):
        assert ctx.get(dut.halt)
        await host.write("CONTROL", START | ENABLE)
        assert not ctx.get(dut.halt)
        assert await host.read("STATUS") == BUSY
        assert not ctx.get(dut.interrupt)
        ctx.set(dut.finished, 1)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.halt)
        await ctx.tick().repeat(2)
        ctx.set(dut.finished, 0)
        assert ctx.get(dut.interrupt)
        assert ctx.get(dut.halt)
        assert await host.read("STATUS") == DONE
        await host.write("CONTROL", 0)
        assert not ctx.get(dut.interrupt)
        assert await host.read("CONTROL") == 0
        await host.write("CONTROL", START)
        assert await host.read("STATUS") == BUSY

    run(simulate, test)


def test_settings_hold_still_while_busy(simulate):
    async def test(ctx, dut, host):
        await host.write("BASE1", 0x1000)
        await host.write("CONTROL", START)
        await host.write("BASE1", 0x2000)
        assert await host.read("BASE1") == 0x1000

    run(simulate, test)


def test_a_serial_machine_asks_for_addresses(simulate):
    names = ["PROGRAM", *(f"BASE{n}" for n in range(4))]

    async def asked(ctx, dut, name):
        ctx.set(dut.number, register(name).offset // 4)
        await ctx.tick()
        return ctx.get(dut.setting)

    async def test(ctx, dut, host):
        for n, name in enumerate(names):
            await host.write(name, 0x12340 + n)
        await host.write("BASE1", 0xFFFFF5FF, strobe=0b0010)
        await host.write("BASE2", 0x00100040)  # too large: an address that no memory has
        await host.write("CONTROL", START)
        await host.write("BASE3", 0x77)
        found = [await asked(ctx, dut, name) for name in names]
        assert found == [0x12340, 0x12341, 0x1F542, 0xF0040, 0x12344]

    run(simulate, test, SERIAL)


@pytest.mark.parametrize("source", range(len(FAILURES)))
def test_failure_is_reported_when_the_bus_is_idle(simulate, source):
    async def test(ctx, dut, host):
        await host.write("CONTROL", START | ENABLE)
        ctx.set(dut.idle, 0)
        ctx.set(dut.failures[source], {"code": Error.LOAD_BUS, "index": 77})
        await ctx.tick()
        ctx.set(dut.failures[source], {"code": Error.ILLEGAL_OPCODE, "index": 78})
        await ctx.tick()
        assert ctx.get(dut.halt)
        assert await host.read("STATUS") == BUSY
        assert await host.read("ERROR") == Error.NONE
        assert not ctx.get(dut.interrupt)
        ctx.set(dut.idle, 1)
        await ctx.tick().repeat(2)
        assert ctx.get(dut.interrupt)
        assert await host.read("STATUS") == ERROR
        assert await host.read("ERROR") == Error.LOAD_BUS
        assert await host.read("ERROR_INDEX") == 77
        assert ctx.get(dut.halt)

    run(simulate, test)


def test_earlier_work_fails_first(simulate):
    async def test(ctx, dut, host):
        await host.write("CONTROL", START)
        ctx.set(dut.failures[FAILURES.index("decode")], {"code": Error.NO_END, "index": 9})
        ctx.set(dut.failures[FAILURES.index("load")], {"code": Error.LOAD_BUS, "index": 3})
        await ctx.tick().repeat(4)
        assert await host.read("ERROR") == Error.LOAD_BUS
        assert await host.read("ERROR_INDEX") == 3

    run(simulate, test)


def test_a_transfer_that_begins_as_the_machine_halts_is_waited_for(simulate):
    async def test(ctx, dut, host):
        await host.write("CONTROL", START)
        ctx.set(dut.finished, 1)
        while not ctx.get(dut.halt):
            await ctx.tick()
        ctx.set(dut.idle, 0)  # idle until now: what began in the last cycle shows in this one
        await ctx.tick().repeat(8)
        assert await host.read("STATUS") == BUSY
        ctx.set(dut.idle, 1)
        await ctx.tick().repeat(2)
        assert await host.read("STATUS") == DONE

    run(simulate, test)


@pytest.mark.parametrize("ending", ["finished", "failure"])
def test_a_run_is_as_long_as_the_machine_takes(simulate, ending):
    async def test(ctx, dut, host):
        cycles, running = 0, 0

        async def count():
            nonlocal cycles, running
            running |= not ctx.get(dut.halt)
            cycles += running
            await ctx.tick()

        ctx.set(dut.s_axi.aw.payload, {"addr": register("CONTROL").offset})
        ctx.set(dut.s_axi.w.payload, {"data": START, "strb": 15})
        ctx.set(dut.s_axi.aw.valid, 1)
        ctx.set(dut.s_axi.w.valid, 1)
        for _ in range(2):
            await count()
        ctx.set(dut.s_axi.aw.valid, 0)
        ctx.set(dut.s_axi.w.valid, 0)
        ctx.set(dut.s_axi.b.ready, 1)
        while cycles < 9:
            await count()
        if ending == "finished":
            ctx.set(dut.finished, 1)
        else:
            ctx.set(dut.failures[0], {"code": Error.LOAD_BUS, "index": 1})
        await ctx.tick().repeat(6)
        assert await host.read("CYCLES") == 10  # that of the end is the last one

    run(simulate, test)


@pytest.mark.parametrize("busy", [False, True])
def test_reset_waits_for_the_bus_then_clears(simulate, busy):
    cleared = []

    async def test(ctx, dut, host):
        if busy:
            await host.write("CONTROL", START)
        await host.write("PROGRAM", 0x40)
        ctx.set(dut.idle, 0)
        await host.write("CONTROL", RESET)
        for _ in range(5):
            _, _, clear = await ctx.tick().sample(dut.clear)
            assert not clear
        assert await host.read("CONTROL") == RESET
        assert await host.read("STATUS") == BUSY
        ctx.set(dut.idle, 1)
        for _ in range(4):
            _, _, clear = await ctx.tick().sample(dut.clear)
            cleared.append(clear)
        assert sum(cleared) == 1
        for name in ("CONTROL", "STATUS", "ERROR", "CYCLES"):
            assert await host.read(name) == 0

    run(simulate, test)


def test_counters_count_while_running_and_clear_at_start(simulate):
    names = ("CYCLES", "MAC_CYCLES", "VECTOR_CYCLES", "READ_BEATS", "WRITE_BEATS", "FETCH_BEATS")

    async def test(ctx, dut, host):
        await host.write("CONTROL", START)
        await ctx.tick()
        before = await host.read("CYCLES")
        assert 0 < before < 10
        for n, event in enumerate(("mac_active", "vector_active", "load_beat", "write_beat")):
            ctx.set(getattr(dut, event), 1)
            await ctx.tick().repeat(n + 1)
            ctx.set(getattr(dut, event), 0)
        ctx.set(dut.fetch_beat, 1)
        await ctx.tick().repeat(7)
        ctx.set(dut.fetch_beat, 0)
        for engine in Engine:
            ctx.set(dut.completed[engine], 100 + engine)
        ctx.set(dut.finished, 1)
        await ctx.tick().repeat(2)
        ctx.set(dut.finished, 0)
        ctx.set(dut.mac_active, 1)
        values = [await host.read(name) for name in names]
        assert values[1:] == [1, 2, 10, 4, 7]
        assert await host.read("CYCLES") == values[0]
        for engine in Engine:
            assert await host.read(f"{engine.name}_WORK") == 100 + engine
        ctx.set(dut.mac_active, 0)
        await host.write("CONTROL", START)
        assert await host.read("READ_BEATS") == 0
        assert await host.read("CYCLES") < 10

    run(simulate, test)
