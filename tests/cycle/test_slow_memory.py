"""Memories that pause between beats or take few requests."""

import pytest

from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.memory import Memory
from tests.cycle.equality import LATENCIES, assert_equal
from tests.cycle.programs import random_program
from tests.sim.cases import NARROW, TINY, WIDE


def check(engine, config, interval, outstanding):
    for seed in range(45):
        program = random_program(config, seed)
        latency = LATENCIES[seed % 3]
        assert_equal(engine, program, latency=latency, interval=interval, outstanding=outstanding)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "interval", "outstanding"),
    [(TINY, 3, 2), (NARROW, 1, 1), (WIDE, 1, 2), (WIDE, 3, 1)],
    ids=["pauses", "one request", "few requests of many words", "both"],
)
def test_slow_memories(engine_of, config, interval, outstanding):
    check(engine_of(config), config, interval, outstanding)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("settings", [("odd", 2, 16), ("odd", 5, 3), ("base", 2, 4)])
def test_slow_memories_of_larger_arrays(engine_of, settings):
    config, interval, outstanding = load_config(settings[0]), *settings[1:]
    check(engine_of(config), config, interval, outstanding)


@pytest.mark.parametrize("name", ["latency", "interval", "outstanding"])
def test_impossible_memories_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        Memory(**{name: 0})
