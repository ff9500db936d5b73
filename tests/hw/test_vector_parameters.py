"""VectorParameters: which words it fetches for a job, when, and when taps have the port."""

from dataclasses import replace

import pytest

from shiftloom.hw.interfaces import parameter_latency
from shiftloom.hw.threshold_unit import ThresholdUnit
from shiftloom.hw.vector_parameters import VectorParameters
from shiftloom.isa.config import load_config
from shiftloom.isa.timing import threshold_cycles

TINY = load_config("tiny")
SIZES = pytest.mark.parametrize(
    ("most", "bits"), [(most, bits) for most in range(5) for bits in range(most + 1)]
)

#: What the buffer holds at an address: lanes and halves differ.
START, CYCLES = 3, 18


def number(addr):
    """Return a parameter word."""
    return sum((1000 * addr + half) << (32 * half) for half in range(2 * TINY.word_bytes))


def pairs(addr):
    """Return the same as thresholds of lanes."""
    halves = range(0, 2 * TINY.word_bytes, 2)
    return [(1000 * addr + half, 1000 * addr + half + 1) for half in halves]


def run(simulate, most, pipeline, jobs):
    """Return what is seen of each job: the cycle of ``begin``, addresses, table writes, word."""
    config, found = replace(TINY, threshold_bits=most, pipeline=pipeline), []
    dut, lead = VectorParameters(config), ThresholdUnit.write_lead(config)
    waits = parameter_latency(config) - 1

    async def bench(ctx):
        for bits, addr, table in jobs:
            work = {"parameter_addr": addr, "threshold_addr": table}
            ctx.set(dut.job, {"requantize": {"threshold_bits": bits}, "work": work})
            begins, addrs, words, data = [], [0] * waits, {}, []
            for cycle in range(CYCLES):
                ctx.set(dut.start, cycle == START)
                ctx.set(dut.tap, 200 + cycle)
                signals = dut.begin, dut.read.addr, dut.thresholds, dut.parameters
                _, _, begin, read, write, word = await ctx.tick().sample(*signals)
                addrs.append(read)
                ctx.set(dut.read.data, number(addrs[-1 - waits]))
                if begin:
                    begins.append(cycle - START)
                data.append([(lane.even, lane.odd) for lane in write.pairs])
                if write.valid:
                    words[cycle + lead] = write.word
            writes = [(word, data[cycle]) for cycle, word in words.items()]
            found.append((begins, addrs[waits:], writes, word))

    simulate(dut, bench)
    return found


@SIZES
@pytest.mark.parametrize("pipeline", [0, 1])
def test_a_job_gets_its_own_words(simulate, most, bits, pipeline):
    jobs = [(bits, 7, 40), (0, 9, 50), (most, 11, 60)]
    for job, seen in zip(jobs, run(simulate, most, pipeline, jobs), strict=True):
        (width, addr, table), (begins, addrs, writes, word) = job, seen
        words = range(table, table + (1 << width >> 1))
        assert begins == [threshold_cycles(width)]
        assert writes == [(n, pairs(a)) for n, a in enumerate(words)]
        assert word == number(addr)
        fetched = addrs[START : START + 1 + len(words)]
        assert fetched == [addr, *words]
        taps = START + begins[0] + 2
        assert addrs[taps:] == [200 + cycle for cycle in range(taps, CYCLES)]
