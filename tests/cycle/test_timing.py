"""The declared timing is what the hardware says of itself."""

import pytest

from shiftloom.hw import axi, engine_queue, fetch, load, store
from shiftloom.hw.accumulators import Accumulators
from shiftloom.hw.burst_splitter import BurstSplitter
from shiftloom.hw.decode import Decode
from shiftloom.hw.engine_queue import EngineQueue
from shiftloom.hw.feeder import Feeder
from shiftloom.hw.loop_nest import LoopNest
from shiftloom.hw.mac_engine import MacEngine
from shiftloom.hw.runs import Runs
from shiftloom.hw.skid import Skid
from shiftloom.hw.vector import Vector
from shiftloom.hw.widener import Widener
from shiftloom.hw.words import Words
from shiftloom.isa import timing
from shiftloom.isa.config import load_config

CONFIGS = [load_config(name) for name in ("tiny", "odd", "small", "base", "ulx3s")]


def test_register_stages():
    stages = BurstSplitter, Decode, LoopNest, Runs, Skid, Widener
    assert {stage.latency for stage in stages} == {timing.REGISTER}
    assert Words.latency == timing.PLACE


def test_queues():
    assert EngineQueue.latency == timing.QUEUE_READ + timing.REGISTER
    assert engine_queue.QUEUE_DEPTH == timing.QUEUE_DEPTH
    assert axi.OUTSTANDING == timing.OUTSTANDING
    assert load._JOBS_AHEAD == timing.LOAD_JOBS_AHEAD
    assert store._JOBS_AHEAD == timing.STORE_JOBS_AHEAD
    assert store._WORDS_AHEAD == timing.STORE_WORDS_AHEAD
    assert fetch._AHEAD == timing.FETCH_AHEAD
    assert fetch._BURST == timing.FETCH_BURST


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_engines(config):
    assert Feeder.latency(config) == timing.feeder(config)
    assert Accumulators.distance(config) == timing.accumulator_distance(config)
    first = timing.MAC_OFFER + timing.REGISTER + timing.operand_check(config)
    assert MacEngine.latency(config) == first + timing.feeder(config)
    assert MacEngine.done_latency(config) + timing.feeder(config) == timing.mac_done(config)
    assert Vector.latency(config) == timing.vector_start(config)
    assert Vector.pixel_done_latency(config) == timing.pixel_done(config)
    assert Vector.word_done_latency(config) == timing.word_done(config)
