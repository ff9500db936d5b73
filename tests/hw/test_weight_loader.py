"""WeightLoader: order, timing, and exactly one tile ahead."""

from shiftloom.hw.weight_loader import WeightLoader
from shiftloom.isa.config import load_config

ODD = load_config("odd")
JOBS = {30: 2, 7: 1, 100: 3}  # address and tiles
#: First word of each tile, and whether it is its job's last.
TILES = [(a + n * ODD.rows, n == tiles - 1) for a, tiles in JOBS.items() for n in range(tiles)]


class Observer:
    """Stands in for the buffer, whose words are their addresses; notes loads and ``pending``."""

    def __init__(self, dut):
        self.dut = dut
        self.cycle = 0
        self.loads = []
        self.begins = []

    async def watch(self, ctx):
        dut, was_pending = self.dut, 0
        signals = dut.read.addr, dut.load, dut.pending
        while True:
            _, _, addr, load, pending = await ctx.tick().sample(*signals)
            ctx.set(dut.read.data, addr)
            if load.valid:
                self.loads.append((self.cycle, load.row, load.weights[0]))
            if pending and not was_pending:
                self.begins.append(self.cycle)
            was_pending = pending
            self.cycle += 1


def test_tiles_follow_swaps(simulate):
    dut = WeightLoader(ODD)
    observer = Observer(dut)

    async def jobs(ctx):
        for addr in JOBS:
            ctx.set(dut.job.p.addr, addr)
            ctx.set(dut.job.valid, 1)
            await ctx.tick().until(dut.job.ready)
        ctx.set(dut.job.valid, 0)

    async def feeder(ctx):
        for index, (_, ends) in enumerate(TILES):
            if not ctx.get(dut.pending):
                await ctx.tick().until(dut.pending)
            await ctx.tick().repeat(1 + 5 * (index % 3))
            ctx.set(dut.ends, ends)
            ctx.set(dut.swap, 1)
            await ctx.tick()
            ctx.set(dut.swap, 0)
        await ctx.tick().repeat(20)

    simulate(dut, jobs, feeder, background=[observer.watch])
    assert observer.loads == [
        (begin + dut.latency(ODD) + row, row, addr + row)
        for begin, (addr, _) in zip(observer.begins, TILES, strict=True)
        for row in range(ODD.rows)
    ]


def test_no_tile_is_loaded_before_the_swap_of_the_last(simulate):
    dut = WeightLoader(ODD)
    observer = Observer(dut)

    async def bench(ctx):
        ctx.set(dut.job.valid, 1)
        await ctx.tick().repeat(5 * ODD.rows)

    simulate(dut, bench, background=[observer.watch])
    assert len(observer.loads) == ODD.rows
