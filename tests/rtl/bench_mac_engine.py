"""Cocotb bench: the array, its feeder and its accumulators against the meaning of MAC."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from shiftloom.hw.interfaces import job_layout
from shiftloom.isa.instructions import Engine
from shiftloom.isa.semantics import Machine, execute
from tests.rtl.designs import CONFIGS
from tests.rtl.streams import send, start, until, watch
from tests.support.jobs import Jobs, payload, random_machine, tiles_of
from tests.support.stalls import sometimes

GARBAGE = 0xA5

#: What makes a job long.
COUNTS = ("blocks", "groups", "kernel_rows", "kernel_columns", "rows", "columns")

#: Where no operand is padding.
INSIDE = {"y": 0, "x": 0, "height": 4000, "width": 4000}

#: What is not for the bit array, if there is one.
BYTES = {"bitwise": 0, **INSIDE}


def number(*words):
    """Return words as one number, the first lowest."""
    return int.from_bytes(b"".join(word.tobytes() for word in words), "little")


async def buffers(dut, port, machine):
    """Stand in for the activation and weight buffers for ever; data follow one cycle later."""
    words, weights = machine.activation, machine.weight
    garbage = np.full_like(words[0], GARBAGE)
    while True:
        await RisingEdge(dut.clk)
        banks, addr, wide = (
            int(dut[f"{port}_activations_{n}"].value) for n in ("banks", "addr", "wide")
        )
        pair = (words[addr], words[(addr + 1) % len(words)] if wide else garbage)
        dut[f"{port}_activations_data"].value = number(*(pair if banks else (garbage, garbage)))
        addr = dut[f"{port}_weights_addr"].value.to_unsigned()
        dut[f"{port}_weights_data"].value = number(weights[addr]) if addr < len(weights) else 0


async def accumulators(dut, port, config):
    """Return both halves as the vector unit sees them, one pixel each cycle."""
    shape, found = (2, config.accumulator_pixels, config.columns), []
    for half, pixel in [*np.ndindex(shape[:2]), (0, 0)]:
        dut[f"{port}_accumulators_half"].value = half
        dut[f"{port}_accumulators_pixel"].value = pixel
        await RisingEdge(dut.clk)
        bits = dut[f"{port}_accumulators_data"].value.to_unsigned()
        found.append(np.frombuffer(bits.to_bytes(4 * config.columns, "little"), "<i4"))
    return np.array(found[1:], np.int64).reshape(shape)


async def run(dut, name, jobs, machine, stalls=0.0):
    """Let engine and machine carry out jobs; return accumulators and pixels that were taken."""
    port, config, done, active = f"mac_{name}", CONFIGS[name], [], []
    await start(dut)
    machine.accumulators[:] = await accumulators(dut, port, config)
    layout = job_layout(Engine.MAC)
    payloads = [layout.const(payload(n, job)).as_bits() for n, job in enumerate(jobs)]

    def note(is_done, is_active):
        done.extend([sum(active)] * is_done)
        active.append(is_active)

    cocotb.start_soon(buffers(dut, port, machine))
    cocotb.start_soon(watch(dut, [f"{port}_done", f"{port}_active"], note))
    cocotb.start_soon(send(dut, f"{port}_job", payloads, sometimes(stalls, 3)))
    await until(dut, lambda: len(done) == len(jobs))
    found = await accumulators(dut, port, config)
    for job in jobs:
        for instruction in job:
            execute(machine, instruction)
    pixels = [tiles_of(loops) * loops["columns"] * work["rows"] for loops, work in jobs]
    totals = np.cumsum(pixels).tolist()
    assert all(before >= total for before, total in zip(done, totals, strict=True))
    assert sum(active) == totals[-1]
    return found


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), seed=[1, 2], stalls=[0.0, 0.95])
async def random_jobs_match_the_definition(dut, name, seed, stalls):
    config = CONFIGS[name]
    source = Jobs(Machine(config, []), seed)
    jobs, machine = [source.mac() for _ in range(25)], random_machine(config, seed)
    found = await run(dut, name, jobs, machine, stalls)
    assert np.array_equal(found, machine.accumulators)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.9])
async def neighbours_may_share_words(dut, name, stalls):
    machine = random_machine(CONFIGS[name], 4)
    source, strides = Jobs(machine, 4), [0, 1, 2, 3, 1, 5] * 3
    jobs = [source.mac(columns=5, column_stride=stride, **BYTES) for stride in strides]
    found = await run(dut, name, jobs, machine, stalls)
    assert np.array_equal(found, machine.accumulators)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS), stalls=[0.0, 0.5])
async def smallest_jobs_follow_each_other(dut, name, stalls):
    machine = random_machine(CONFIGS[name], 6)
    source, single = Jobs(machine, 6), dict.fromkeys(COUNTS, 1)
    jobs = [source.mac(**single, **INSIDE) for _ in range(40)]
    found = await run(dut, name, jobs, machine, stalls)
    assert np.array_equal(found, machine.accumulators)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(name=list(CONFIGS))
async def largest_products_add_up(dut, name):
    config, machine = CONFIGS[name], random_machine(CONFIGS[name], 5)
    machine.activation[:], machine.weight[:] = 0xFF, 0x80
    source = Jobs(machine, 5)
    fixed = {"rows": 2, "columns": 5, "half": 1, "pixel": 3, "unsigned": 1, **BYTES}
    jobs = [source.mac(accumulate=int(n > 0), **fixed) for n in range(12)]
    found = await run(dut, name, jobs, machine)
    assert np.array_equal(found, machine.accumulators)
    assert found.min() < -config.rows * 255 * 128 * 12
