"""LoopNest against Python's own loops."""

import itertools
import random

import pytest
from amaranth import signed, unsigned

from shiftloom.hw.loop_nest import Affine, LoopNest
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes

COUNTS = {"a": 3, "b": 2, "c": 3}
VALUES = {
    "all": Affine(start=signed(5), strides={"a": signed(4), "b": unsigned(6), "c": signed(3)}),
    "outer": Affine(start=unsigned(4), strides={"a": unsigned(3)}),
    "inner": Affine(start=unsigned(4), strides={"c": 3}),
    "middle": Affine(start=signed(6), strides={"b": unsigned(4)}, width=5),
}


def random_value(shape, rng):
    """Return a random integer of a shape."""
    return rng.randrange(1 << shape.width) - (shape.signed << (shape.width - 1))


def random_nest(rng):
    """Return the fields of a random nest."""
    strides = {
        name: {k: random_value(s, rng) for k, s in v.strides.items() if not isinstance(s, int)}
        for name, v in VALUES.items()
    }
    return {
        "counts": {level: rng.randrange(1, 1 << width) for level, width in COUNTS.items()},
        "start": {name: random_value(v.start, rng) for name, v in VALUES.items()},
        "strides": {name: s for name, s in strides.items() if s},
    }


def iterations(nest):
    """Return what a nest should say, iteration by iteration."""
    counts, levels = nest["counts"], list(nest["counts"])
    for index in itertools.product(*(range(n) for n in counts.values())):
        at = dict(zip(counts, index, strict=True))
        values = {}
        for name, value in VALUES.items():
            strides = value.strides | nest["strides"].get(name, {})
            exact = nest["start"][name] + sum(s * at[k] for k, s in strides.items())
            values[name] = exact % (1 << value.width) if value.width else exact
        first = {k: int(at[k] == 0) for k in counts}
        last = {k: int(at[k] == n - 1) for k, n in counts.items()}
        inside = {k: levels[n + 1 :] for n, k in enumerate(levels)}
        turns = {k: int(all(last[i] for i in inner)) for k, inner in inside.items()}
        ends = int(all(last.values()))
        yield {"values": values, "first": first, "last": last, "turns": turns, "ends": ends}


def plain(iteration):
    """Return an iteration's fields as a dictionary."""
    fields = {"values": VALUES, "first": COUNTS, "last": COUNTS, "turns": COUNTS}
    found = {k: {name: iteration[k][name] for name in names} for k, names in fields.items()}
    return {**found, "ends": iteration.ends}


@pytest.mark.parametrize("pipeline", [0, 1])
@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_iterations_match_python(simulate, seed, stalls, pipeline):
    rng = random.Random(seed)
    nests = [random_nest(rng) for _ in range(6)]
    expected = [i for nest in nests for i in iterations(nest)]
    dut = LoopNest(COUNTS, VALUES, pipeline)
    received = []

    async def producer(ctx):
        await send(ctx, dut.nest, nests, sometimes(stalls, seed))

    async def consumer(ctx):
        received.extend(await receive(ctx, dut.o, len(expected), sometimes(stalls, seed + 1)))

    simulate(dut, producer, consumer)
    assert [plain(i) for i in received] == expected


def test_no_cycle_is_lost_between_nests(simulate):
    rng = random.Random(7)
    nests = [random_nest(rng) for _ in range(8)]
    nests[3]["counts"] = nests[4]["counts"] = dict.fromkeys(COUNTS, 1)
    total = sum(len(list(iterations(nest))) for nest in nests)
    dut = LoopNest(COUNTS, VALUES)
    valid = []

    async def producer(ctx):
        await send(ctx, dut.nest, nests)

    async def observer(ctx):
        ctx.set(dut.o.ready, 1)
        for _ in range(dut.latency + total + 2):
            valid.append((await ctx.tick().sample(dut.o.valid))[2])

    simulate(dut, producer, observer)
    assert valid == [False] * dut.latency + [True] * total + [False] * 2


def test_a_count_of_zero_is_the_largest(simulate):
    counts, values = {"a": 2, "b": 2}, {"v": Affine(start=unsigned(3), strides={"a": 8, "b": 1})}
    dut = LoopNest(counts, values)
    received = []

    async def producer(ctx):
        await send(ctx, dut.nest, [{"counts": {"a": 2, "b": 0}, "start": {"v": 1}}])

    async def consumer(ctx):
        received.extend(await receive(ctx, dut.o, 8))

    simulate(dut, producer, consumer)
    assert [i["values"]["v"] for i in received] == [1, 2, 3, 4, 9, 10, 11, 12]
