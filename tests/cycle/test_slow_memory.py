"""Memories that pause between beats or take few requests, built into the RTL engine's bench."""

import pytest

from shiftloom.hw.verilog import simulation_verilog
from shiftloom.isa.config import load_config
from shiftloom.sim import rtl_build
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.rtl_engine import build_engine
from tests.cycle.equality import LATENCIES, assert_equal
from tests.cycle.programs import random_program
from tests.sim.cases import NARROW, TINY

#: What the bench's memory says, and what a slow one says instead.
_CHANGES = {
    "out.ar_ready = !stalls_[0]();": "now_ = now; "
    "out.ar_ready = !stalls_[0]() && reads_.size() < OUTSTANDING;",
    "out.w_ready = !stalls_[2]();": "out.w_ready = !stalls_[2]() && now >= next_write_;",
    "due(reads_, now) &&": "due(reads_, now) && now >= next_read_ &&",
    "void read_taken() {": "void read_taken() { next_read_ = now_ + INTERVAL;",
    "beats_.push_back(": "next_write_ = now + INTERVAL; beats_.push_back(",
    "int64_t latency_ = 1;": "int64_t latency_ = 1, now_ = 0, next_read_ = 0, next_write_ = 0;",
}


def slow_memory(text, interval, outstanding):
    """Return the source of a memory with an interval between beats and few requests."""
    for old, new in _CHANGES.items():
        assert old in text, old
        text = text.replace(old, new)
    return text.replace("INTERVAL", str(interval)).replace("OUTSTANDING", str(outstanding))


@pytest.fixture
def engine_with(compiler, monkeypatch):
    """Return a function from configuration, interval and requests to an engine."""
    original = rtl_build._source

    def build(config, interval, outstanding):
        def source(name):
            text = original(name)
            if name != "rtl_memory.h":
                return text
            return slow_memory(text.decode(), interval, outstanding).encode()

        monkeypatch.setattr(rtl_build, "_source", source)
        return build_engine(simulation_verilog(config))

    return build


def check(engine, config, interval, outstanding):
    for seed in range(45):
        program = random_program(config, seed)
        latency = LATENCIES[seed % 3]
        assert_equal(engine, program, latency=latency, interval=interval, outstanding=outstanding)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "interval", "outstanding"),
    [(TINY, 3, 2), (NARROW, 1, 1)],
    ids=["pauses", "one request"],
)
def test_slow_memories(engine_with, config, interval, outstanding):
    check(engine_with(config, interval, outstanding), config, interval, outstanding)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("settings", [("odd", 2, 16), ("odd", 5, 3), ("base", 2, 4)])
def test_slow_memories_of_larger_arrays(engine_with, settings):
    config, interval, outstanding = load_config(settings[0]), *settings[1:]
    check(engine_with(config, interval, outstanding), config, interval, outstanding)


@pytest.mark.parametrize("name", ["latency", "interval", "outstanding"])
def test_impossible_memories_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        Memory(**{name: 0})
