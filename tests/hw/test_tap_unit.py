"""TapUnit against sums and maxima over columns."""

import random

import pytest

from shiftloom.hw.spread import SPREAD_CYCLES
from shiftloom.hw.tap_unit import WINDOW_STEPS, TapUnit
from shiftloom.isa.config import Config


def config(taps, pipeline):
    return Config(
        name="c",
        rows=2,
        columns=3,
        bus_bytes=8,
        activation_bytes=64,
        weight_bytes=64,
        parameter_bytes=128,
        accumulator_pixels=8,
        vector_taps=taps,
        pipeline=pipeline,
        burst_beats=16,
    )


def expected(words, taps, maximum):
    """Return the totals of the newest of some columns; ``words`` is [column][step][lane]."""
    totals = []
    for lane in range(3):
        pairs = []
        for step, of_step in enumerate(taps):
            columns = words[-len(of_step[lane]) :]
            pairs += [(c[step][lane], t) for c, t in zip(columns, of_step[lane], strict=True)]
        if maximum:
            totals.append(max((value for value, tap in pairs if tap), default=-(1 << 30)))
        else:
            totals.append(sum(value * tap for value, tap in pairs))
    return totals


@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("unsigned", [0, 1])
@pytest.mark.parametrize("maximum", [0, 1])
@pytest.mark.parametrize(
    "kernel",
    [(1, 1, 0), (1, 20, 0.3), (2, 1, 0), (3, 1, 0.5), (3, 3, 0), (4, WINDOW_STEPS, 0.1)],
)
def test_totals_match_all_columns(simulate, kernel, maximum, unsigned, pipeline):
    count, steps, stalls = kernel
    rng = random.Random(f"{count}{steps}")
    dut = TapUnit(config(count, pipeline))
    latency = dut.latency
    values = [0, *range(-256, 256, 5)]
    taps = [[rng.choices(values, k=count) for _ in range(3)] for _ in range(steps)]
    for of_step in taps:
        of_step[1][0] = 0
        of_step[2] = [0] * count
    low, high = (0, 255) if unsigned else (-128, 127)
    padding = 0 if unsigned or not maximum else -128
    inputs, results = [], {}
    for _ in range(2):
        words = [[[padding] * 3] * steps] * (count - 1)
        for column in range(5):
            inside = rng.random() < 0.8
            now = [[rng.randint(low, high) for _ in range(3)] for _ in range(steps)]
            words.append(now if inside else [[padding] * 3] * steps)
            for step in range(steps):
                control = {
                    "valid": 1,
                    "inside": inside,
                    "step": step % WINDOW_STEPS,
                    "row_begins": column == 0,
                    "first": step == 0,
                }
                inputs.append((control, now[step], step))
                while rng.random() < stalls:
                    junk = {"valid": 0, "inside": 1, "step": step % WINDOW_STEPS, "first": 1}
                    inputs.append((junk, [9, 9, 9], 0))
            ends = max(n for n, (control, *_) in enumerate(inputs) if control["valid"])
            results[ends + latency] = expected(words, taps, maximum)

    def tap_word(step):
        lanes = enumerate(taps[step])
        return sum((t & 0xFFFF) << (64 * n + 16 * k) for n, of in lanes for k, t in enumerate(of))

    async def bench(ctx):
        ctx.set(dut.maximum, maximum)
        ctx.set(dut.unsigned, unsigned)
        await ctx.tick().repeat(SPREAD_CYCLES)
        for cycle in range(len(inputs) + latency):
            idle = {"valid": 0}, [0, 0, 0], 0
            control, codes, _ = inputs[cycle] if cycle < len(inputs) else idle
            ctx.set(dut.step, control)
            ctx.set(dut.word, sum((c & 0xFF) << (8 * n) for n, c in enumerate(codes)))
            step = inputs[cycle - 1][2] if 0 < cycle <= len(inputs) else 0
            ctx.set(dut.taps, tap_word(step))
            if cycle in results:
                assert list(ctx.get(dut.totals)) == results[cycle]
            await ctx.tick()

    simulate(dut, bench)
    assert len(results) == 10
