"""The cycle model beside the RTL engine: the same program on both, every cycle compared."""

from collections import Counter
from dataclasses import asdict, fields

import numpy as np

from shiftloom.sim.cycle.compare import first_time_difference
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.memory import make_regions

__all__ = ["LATENCIES", "assert_equal", "assert_same"]

LATENCIES = (1, 32, 100)


def assert_equal(engine, program, **memory):
    """Check that RTL and both forms of the model agree on all of a program's times and counters.

    Return how many runs, pieces of work and cycles of RTL were compared.
    """
    memory, compared = Memory(**memory), Counter()
    for segment in program.segments:
        regions = make_regions(program)
        right = engine.run_segment(program, segment, regions, trace=False, **asdict(memory))
        found = run_segment(program, segment, memory=memory, compiled=False)
        difference = first_time_difference(program, segment, right, found)
        assert difference is None, f"{program.config.name}, {memory}: {difference}"
        assert found.counters == right.counters
        assert found.counts.tolist() == right.counts.tolist()
        assert_same(run_segment(program, segment, memory=memory), found)
        work = sum(len(dones) for dones in found.dones.values())
        compared.update(runs=1, work=work, cycles=found.cycles)
    return compared


def assert_same(found, right):
    """Check that two runs of the cycle model are the same in everything that they say."""
    for field in fields(right):
        values, wanted = getattr(found, field.name), getattr(right, field.name)
        if field.name in ("starts", "dones", "waits", "waited", "stalls"):
            assert values.keys() == wanted.keys()
            pairs = [(f"{field.name} of {e.name}", values[e], wanted[e]) for e in wanted]
        else:
            pairs = [(field.name, values, wanted)]
        for what, one, other in pairs:
            assert _plain(one) == _plain(other), what


def _plain(value):
    """Return a value that == compares, types and shapes of arrays included."""
    return (value.dtype, value.shape, value.tolist()) if isinstance(value, np.ndarray) else value
