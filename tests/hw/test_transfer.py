"""Transfer, Runs and Words: the two sides of LOAD and STORE against their definition."""

import dataclasses
import random

import pytest

from shiftloom.hw.transfer import Transfer
from shiftloom.isa.config import load_config
from tests.support.pysim import receive, send
from tests.support.stalls import sometimes

TINY = load_config("tiny")
BASES = (0, 0x1000_0000, 0xFFFF_0000, 0x40)


def jobs_of(config, seed, count=12):
    """Return random jobs."""
    rng, align = random.Random(seed), config.align_bytes
    return [
        {
            "index": n,
            "work": {
                "region": rng.randrange(4),
                "offset": align * rng.randrange(1 << 20),
                "buffer": rng.randrange(4),
                "addr": rng.randrange(1 << 20),
                "words": rng.choice((0, 1, rng.randrange(20))),
                "runs": rng.choice((0, 1, rng.randrange(6))),
                "memory_pitch": align * rng.randrange(1 << 10),
                "pitch": rng.randrange(1 << 20),
            },
        }
        for n in range(count)
    ]


def places_of(job):
    """Return the places that a job's words have in a buffer."""
    work = job["work"]
    return [
        (work["addr"] + run * work["pitch"] + word) % (1 << 20)
        for run in range(work["runs"])
        for word in range(work["words"])
    ]


def beats_of(job, config):
    """Return the addresses of the beats that a job moves."""
    work, bus = job["work"], config.bus_bytes
    start = BASES[work["region"]] + work["offset"]
    beats = -(-work["words"] * config.word_bytes // bus)
    return [
        (start + run * work["memory_pitch"] + bus * beat) % (1 << 32)
        for run in range(work["runs"])
        for beat in range(beats)
    ]


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("bus_bytes", [4, 8, 32])
def test_both_sides_follow_the_definition(simulate, bus_bytes, stalls):
    config = dataclasses.replace(TINY, bus_bytes=bus_bytes)
    dut, jobs = Transfer(config, 4), jobs_of(config, bus_bytes)
    places, bursts = [], []

    async def producer(ctx):
        for port, base in zip(dut.bases, BASES, strict=True):
            ctx.set(port, base)
        await send(ctx, dut.job, jobs, sometimes(stalls, 1))

    async def inside(ctx):
        for job in jobs:
            count = max(1, len(places_of(job)))
            places.append(await receive(ctx, dut.place, count, sometimes(stalls, job["index"])))

    async def outside(ctx):
        for job in jobs:
            bursts.append([])
            while not bursts[-1] or not bursts[-1][-1].last:
                bursts[-1] += await receive(ctx, dut.burst, 1, sometimes(stalls, job["index"]))

    simulate(dut, producer, inside, outside)
    for job, place, burst in zip(jobs, places, bursts, strict=True):
        words = job["work"]["words"]
        wanted = places_of(job)
        assert [p.void for p in place] == ([0] * len(wanted) or [1])
        assert [p.addr for p in place if not p.void] == wanted
        meant = 0 if place[0].void else 1 << job["work"]["buffer"]
        assert {(p.index, p.buffers) for p in place} == {(job["index"], meant)}
        assert [p.job_ends for p in place] == [0] * (len(place) - 1) + [1]
        if wanted:
            ends = [n % words == words - 1 for n in range(len(wanted))]
            assert [bool(p.run_ends) for p in place] == ends
        addresses = [(b.addr + k * bus_bytes) % (1 << 32) for b in burst for k in range(b.beats)]
        assert addresses == beats_of(job, config)
        assert {b.index for b in burst} == {job["index"]}


def test_one_word_and_one_run_each_cycle_and_one_cycle_between_jobs(simulate):
    dut, words, runs = Transfer(TINY, 4), [], []
    job = {"work": {"words": 1, "runs": 4, "memory_pitch": 64, "pitch": 3}}

    async def producer(ctx):
        await send(ctx, dut.job, [job, job])

    async def observer(ctx):
        ctx.set(dut.place.ready, 1)
        ctx.set(dut.burst.ready, 1)
        for cycle in range(16):
            _, _, place, burst = await ctx.tick().sample(dut.place.valid, dut.burst.valid)
            words.extend([cycle] * place)
            runs.extend([cycle] * burst)

    simulate(dut, producer, observer)
    assert runs == [*range(2, 6), *range(7, 11)]
    assert words == [*range(3, 7), *range(8, 12)]
