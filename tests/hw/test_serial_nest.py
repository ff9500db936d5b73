"""SerialNest: every iteration of both engines' loops, beside loops of Python."""

import itertools

from shiftloom.hw.serial_nest import SerialNest
from shiftloom.isa.instructions import Opcode, VectorSource
from shiftloom.isa.semantics import Machine
from tests.support.jobs import Jobs
from tests.support.serial import SERIAL, pass_words


def iterations(job):
    """Return address, inside, begins, first tile and the ends of each iteration of a job."""
    loops, work = job[0], job[-1]
    multiplies = work.opcode is Opcode.MAC
    unit = SERIAL.word_bytes if multiplies else 1
    kernel, pixels = ("kernel_rows", "kernel_columns"), ("rows", "columns")
    counts = {name: work[name] if name == "rows" else loops[name] for name in kernel + pixels}
    levels = (*kernel, *pixels) if multiplies else (*pixels, *kernel)
    ranges = [range(loops["blocks"] if multiplies else 1), *(range(counts[n]) for n in levels)]
    lanes = range(1 if multiplies else SERIAL.columns)
    found = []
    for block, a, b, lane, c, d in itertools.product(*ranges[:3], lanes, *ranges[3:]):
        at = dict(zip(levels, (a, b, c, d), strict=True))
        moved = work["addr"] + block * loops["block_stride"]
        moved += sum(at[n] * loops[f"{n[:-1]}_stride"] for n in levels)
        y = work["y"] + at["rows"] * loops["row_y"] + at["kernel_rows"] * loops["kernel_row_y"]
        x = work["x"] + at["columns"] * loops["column_x"]
        x += at["kernel_columns"] * loops["kernel_column_x"]
        inside = 0 <= y < loops["height"] and 0 <= x < loops["width"]
        tile = (block, a, b) == (0, 0, 0) and lane == 0
        inner = (c, d) == (len(ranges[3]) - 1, len(ranges[4]) - 1)
        pixel = inner and lane == lanes[-1]
        row = pixel and b == ranges[2][-1]
        ends = row and a == ranges[1][-1] and block == ranges[0][-1]
        addr = moved // unit % SERIAL.activation_words
        found.append((addr, inside, lane, (c, d) == (0, 0), tile, inner, pixel, row, ends))
    return found


def run(simulate, jobs):
    dut = SerialNest(SERIAL)

    async def testbench(ctx):
        for job in jobs:
            await pass_words(ctx, dut.word, *job)
            ctx.set(dut.lanes, job[-1].opcode is Opcode.VECTOR)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            after_end = True
            for number, wanted in enumerate(iterations(job)):
                if wanted[5] and after_end:  # what comes then is made ready in between
                    await ctx.tick()
                after_end = wanted[5]
                said = (dut.addr, dut.inside, dut.lane, dut.begins, dut.first_tile)
                said += (dut.inner_ends, dut.pixel_ends, dut.row_ends, dut.ends)
                assert tuple(map(ctx.get, said)) == wanted, (job, number)
                if number % 5 == 2:  # nothing moves until it is told to
                    await ctx.tick()
                    assert tuple(map(ctx.get, said)) == wanted
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)

    simulate(dut, testbench, timeout=50_000)


def test_iterations_are_those_of_the_definition(simulate):
    jobs = Jobs(Machine(SERIAL, []), seed=1)
    words = range(SERIAL.activation_words)
    fixed = {"source": int(VectorSource.ACTIVATION), "rows": 2, "columns": 3, "kernel_columns": 2}
    vector = jobs.vector(words, words, kernel_rows=2, **fixed)
    first = {"blocks": 2, "kernel_rows": 2, "kernel_columns": 2, "rows": 2, "columns": 3}
    steps = {"kernel_row_y": 1, "kernel_column_x": 2, "row_y": 2, "column_x": 1}
    run(simulate, [jobs.mac(**first, **steps), vector, jobs.mac(rows=3, columns=1)])


def test_single_and_skip_leave_out_steps_and_lanes(simulate):
    dut = SerialNest(SERIAL)
    words = range(SERIAL.activation_words)
    fixed = {"rows": 2, "columns": 2, "kernel_rows": 3, "kernel_columns": 2}
    job = Jobs(Machine(SERIAL, []), 1).vector(words, words, **fixed)

    async def count(ctx, **settings):
        await pass_words(ctx, dut.word, *job)
        for name, value in {"lanes": 1, "single": 0, "skip": 0, **settings}.items():
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        steps, ends = 0, False
        while not ends:
            await ctx.tick()
            ends = ctx.get(dut.ends)
            ctx.set(dut.step, 1)
            await ctx.tick()
            ctx.set(dut.step, 0)
            steps += 1
        return steps

    async def testbench(ctx):
        assert await count(ctx) == 4 * SERIAL.columns * 6
        assert await count(ctx, single=1) == 4 * SERIAL.columns
        assert await count(ctx, skip=1) == 4

    simulate(dut, testbench)
