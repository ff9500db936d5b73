"""Cocotb bench: the registers behind a host that takes its time."""

import random

import cocotb
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from shiftloom.hw.interfaces import failure_layout
from shiftloom.hw.sequencer import FAILURES
from shiftloom.isa.config import ISA_VERSION
from shiftloom.isa.instructions import ENGINES
from shiftloom.isa.registers import REGISTERS, Control, Error, Status
from tests.rtl.designs import CONFIGS
from tests.rtl.host import Host
from tests.rtl.streams import start, watch

CONSTANTS = {"CONFIG_ID": CONFIGS["wide"].id, "ISA_VERSION": ISA_VERSION}
START, RESET, ENABLE = 1 << Control.START, 1 << Control.RESET, 1 << Control.INTERRUPT_ENABLE
BUSY, DONE, ERROR = 1 << Status.BUSY, 1 << Status.DONE, 1 << Status.ERROR

#: Bits of the registers that keep what is written, and the ports that show it.
SETTINGS = {"PROGRAM": 32, "PROGRAM_LENGTH": 20, **{f"BASE{n}": 32 for n in range(4)}}
OUTPUTS = ("program_addr", "length", *(f"bases_{n}" for n in range(4)))


async def begin(dut, stalls=0.0):
    """Return the host of a component that has left reset."""
    host = Host(dut, "control_s_axi", dut.clk, dut.rst, stalls=stalls)
    await start(dut, control_idle=1)
    host.monitor()
    return host


def merged(name, before, lane, data):
    """Return a setting after bytes from ``lane`` on were written."""
    word = bytearray(before.to_bytes(4, "little"))
    word[lane : lane + len(data)] = data
    value, limit = int.from_bytes(word, "little"), (1 << SETTINGS[name]) - 1
    return min(value, limit)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(stalls=[0.0, 0.5, 0.8])
async def bytes_reach_settings_and_nothing_else_changes(dut, stalls):
    host, held = await begin(dut, stalls), dict.fromkeys(SETTINGS, 0)
    others = [r.name for r in REGISTERS if r.name not in SETTINGS and r.access == "ro"]
    for _ in range(150):
        name = random.choice([*SETTINGS, *SETTINGS, random.choice(others)])
        lane = random.randrange(4)
        data = random.randbytes(random.randint(1, 4 - lane))
        write = cocotb.start_soon(host.write_bytes(name, lane, data))
        checked = random.choice([n for n in SETTINGS if n != name])
        assert await host.read(checked) == held[checked]  # while the write is on its way
        await write
        if name in SETTINGS:
            held[name] = merged(name, held[name], lane, data)
            assert await host.read(name) == held[name]
        else:
            assert await host.read(name) == CONSTANTS.get(name, 0)
    for name, output in zip(SETTINGS, OUTPUTS, strict=True):
        assert dut[f"control_{output}"].value.to_unsigned() == held[name]
    assert dut.control_halt.value
    assert await host.master.read_dword(0x7C) == 0


@cocotb.test(timeout_time=200, timeout_unit="us")
async def enabled_interrupts_wait_for_a_run(dut):
    host = await begin(dut, 0.4)
    await host.write("CONTROL", ENABLE)
    await host.write_bytes("CONTROL", 1, b"\xff\xff\xff")  # says nothing
    assert await host.read("CONTROL") == ENABLE
    assert await host.read("STATUS") == 0
    assert not dut.control_interrupt.value


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(stalls=[0.0, 0.6], interrupt=[0, ENABLE])
async def a_run_ends_when_the_bus_is_idle(dut, stalls, interrupt):
    host, clears = await begin(dut, stalls), []
    cocotb.start_soon(watch(dut, ["control_clear"], clears.append))
    await host.write("BASE1", 0x1000)
    for run in range(1, 4):
        await host.write("CONTROL", START | interrupt)
        dut.control_idle.value = 0
        assert await host.read("STATUS") == BUSY
        await host.write("BASE1", 0x2000)
        await host.write("CONTROL", START | interrupt)
        assert await host.read("BASE1") == 0x1000
        assert await host.read("CYCLES") < await host.read("CYCLES")
        assert sum(clears) == run
        assert not dut.control_halt.value
        dut.control_finished.value = 1
        await ClockCycles(dut.clk, 3)
        dut.control_finished.value = 0
        assert dut.control_halt.value
        assert await host.read("STATUS") == BUSY
        assert not dut.control_interrupt.value
        dut.control_idle.value = 1
        await ClockCycles(dut.clk, 3)
        assert bool(dut.control_interrupt.value) == bool(interrupt)
        assert await host.read("STATUS") == DONE
        assert await host.read("ERROR") == Error.NONE
        assert await host.read("CONTROL") == interrupt


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(stalls=[0.0, 0.6], source=list(range(len(FAILURES))))
async def the_first_failure_is_reported(dut, stalls, source):
    host = await begin(dut, stalls)
    ports = [dut[f"control_failures_{n}"] for n in range(len(FAILURES))]
    failures = [{"code": code, "index": 70_000 + code} for code in (4, 5, 1)]
    await host.write("CONTROL", START | ENABLE)
    dut.control_idle.value = 0
    while dut.control_halt.value:
        await ClockCycles(dut.clk, 1)
    for port, failure in list(zip(ports, failures, strict=True))[source:]:
        port.value = failure_layout().const(failure).as_bits()
    await ClockCycles(dut.clk, 1)
    for port in ports:
        port.value = failure_layout().const({"code": 3, "index": 9}).as_bits()
    assert await host.read("STATUS") == BUSY
    assert await host.read("ERROR") == Error.NONE
    assert await host.read("ERROR_INDEX") == 0
    dut.control_idle.value = 1
    await ClockCycles(dut.clk, 3)
    assert dut.control_interrupt.value
    assert await host.read("STATUS") == ERROR
    assert await host.read("ERROR") == failures[source]["code"]
    assert await host.read("ERROR_INDEX") == failures[source]["index"]
    for port in ports:
        port.value = 0
    await host.write("CONTROL", RESET)
    while await host.read("CONTROL"):
        pass
    for name in ("STATUS", "ERROR", "ERROR_INDEX"):
        assert await host.read(name) == 0
    assert not dut.control_interrupt.value


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(busy=[0, 1])
async def reset_waits_for_the_bus(dut, busy):
    host, clears = await begin(dut, 0.4), []
    await host.write("CONTROL", START * busy)
    cocotb.start_soon(watch(dut, ["control_clear"], clears.append))
    dut.control_idle.value = 0
    await host.write("CONTROL", RESET)
    assert await host.read("CONTROL") == RESET
    assert await host.read("STATUS") == BUSY
    assert not sum(clears)
    dut.control_idle.value = 1
    await ClockCycles(dut.clk, 5)
    assert sum(clears) == 1
    assert await host.read("STATUS") == 0
    assert await host.read("CONTROL") == 0


@cocotb.test(timeout_time=200, timeout_unit="us")
async def counters_count_events_of_a_run(dut):
    host = await begin(dut, 0.3)
    events = {
        "mac_active": 0.8,
        "vector_active": 0.6,
        "fetch_beat": 0.4,
        "load_beat": 0.2,
        "write_beat": 0.5,
    }
    counts = dict.fromkeys(["cycles", "read_beat", *events], 0)
    for n, _ in enumerate(ENGINES):
        dut[f"control_completed_{n}"].value = 1000 * n + 7
    cocotb.start_soon(host.write("CONTROL", START))
    ended, over = 0, False
    while ended < 20:
        flags = {name: random.random() < share for name, share in events.items()}
        for name, flag in flags.items():
            dut[f"control_{name}"].value = flag
        dut.control_finished.value = counts["cycles"] == 300
        await ReadOnly()
        # The end is seen a cycle later, which does not count.
        running = not dut.control_halt.value and not over
        over |= running and bool(dut.control_finished.value)
        ended += counts["cycles"] > 0 and not running
        counts["cycles"] += running
        for name, flag in flags.items():
            counts[name] += flag and (running or name.endswith("beat"))
        counts["read_beat"] += flags["fetch_beat"] or flags["load_beat"]
        if dut.control_clear.value:
            counts = dict.fromkeys(counts, 0)
        await RisingEdge(dut.clk)
    for name in events:
        dut[f"control_{name}"].value = 0
    names = {"cycles": "CYCLES", "mac_active": "MAC_CYCLES", "vector_active": "VECTOR_CYCLES"}
    names |= {"read_beat": "READ_BEATS", "write_beat": "WRITE_BEATS", "fetch_beat": "FETCH_BEATS"}
    assert {n: await host.read(r) for n, r in names.items()} == {n: counts[n] for n in names}
    for n, engine in enumerate(ENGINES):
        assert await host.read(f"{engine.name}_WORK") == 1000 * n + 7
