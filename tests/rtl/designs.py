"""Blocks that the benches run, by the name of their ports, and their configurations."""

from shiftloom.hw.activation_buffer import ActivationBuffer
from shiftloom.hw.control import Control
from shiftloom.hw.engine_queue import EngineQueue
from shiftloom.hw.mac_engine import MacEngine
from shiftloom.hw.requantizer import Requantizer
from shiftloom.hw.skid import Skid
from shiftloom.hw.stream_queue import StreamQueue
from shiftloom.hw.vector import Vector
from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Engine
from tests.rtl.memory_side import MemorySide

__all__ = [
    "CONFIGS",
    "ENGINE_QUEUES",
    "QUEUE_DEPTH",
    "STREAM_BITS",
    "computing",
    "controlling",
    "moving",
]

#: A bus wider than a word, and one narrower; arrays that fill their words, and not.
CONFIGS = {
    "wide": Config(
        name="wide",
        rows=4,
        columns=4,
        bus_bytes=16,
        activation_bytes=1024,
        weight_bytes=1024,
        parameter_bytes=8192,
        accumulator_pixels=29,
        activation_banks=2,
        burst_beats=16,
    ),
    "narrow": Config(
        name="narrow",
        rows=3,
        columns=5,
        bus_bytes=4,
        activation_bytes=1920,
        weight_bytes=2688,
        parameter_bytes=16384,
        accumulator_pixels=29,
        vector_taps=2,
        burst_beats=8,
        threshold_bits=1,
    ),
}

#: Of the queue and the skid that carry plain numbers.
STREAM_BITS, QUEUE_DEPTH = 13, 5

#: By the name of their block.
ENGINE_QUEUES = {"mac_queue": Engine.MAC, "vector_queue": Engine.VECTOR}


def moving():
    """Return what moves data between memory and buffers, on both buses."""
    return {name: MemorySide(config) for name, config in CONFIGS.items()}


def controlling():
    """Return registers, queues and the shared buffer."""
    buffers = {f"buffer_{name}": ActivationBuffer(config) for name, config in CONFIGS.items()}
    return {
        "control": Control(CONFIGS["wide"]),
        **{name: EngineQueue(engine) for name, engine in ENGINE_QUEUES.items()},
        "skid": Skid(STREAM_BITS),
        "queue": StreamQueue(STREAM_BITS, QUEUE_DEPTH),
        **buffers,
    }


def computing():
    """Return what computes, for both arrays."""
    kinds = {"mac": MacEngine, "vector": Vector, "requantizer": Requantizer}
    return {
        f"{kind}_{name}": block(config)
        for kind, block in kinds.items()
        for name, config in CONFIGS.items()
    }
