"""The cycle model beside the RTL engine: the same program on both, every cycle compared."""

from shiftloom.sim.cycle.compare import first_time_difference
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.memory import make_regions

__all__ = ["LATENCIES", "assert_equal"]

LATENCIES = (1, 32, 100)


def assert_equal(engine, program, **memory):
    """Check that both engines agree on all of a program's times and counters."""
    memory = Memory(**memory)
    for segment in program.segments:
        regions = make_regions(program)
        right = engine.run_segment(program, segment, regions, trace=False, latency=memory.latency)
        found = run_segment(program, segment, memory=memory)
        difference = first_time_difference(program, segment, right, found)
        assert difference is None, f"{program.config.name}, {memory}: {difference}"
        assert found.counters == right.counters
        assert found.counts.tolist() == right.counts.tolist()
