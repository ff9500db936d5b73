"""What blocks say to each other: job layouts from the instruction formats, memory ports."""

from amaranth import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import INSTRUCTION_BYTES, Config
from ..isa.instructions import FORMATS, INDEX_BITS, Engine, Opcode
from ..isa.registers import Error

__all__ = [
    "failure_layout",
    "fields_layout",
    "instruction_layout",
    "job_layout",
    "job_parts",
    "read_latency",
    "read_signature",
    "result_layout",
    "write_layout",
]


def fields_layout(opcode: Opcode) -> data.StructLayout:
    """Return an instruction's fields, opcode first, as a layout."""
    return data.StructLayout(
        {f.name: signed(f.width) if f.signed else f.width for f in FORMATS[opcode]}
    )


#: Settings and work that make up one engine's job.
_JOBS = {
    Engine.LOAD: {"work": Opcode.LOAD},
    Engine.MAC: {"loops": Opcode.MAC_LOOPS, "work": Opcode.MAC},
    Engine.VECTOR: {
        "loops": Opcode.VECTOR_LOOPS,
        "requantize": Opcode.VECTOR_REQUANTIZE,
        "work": Opcode.VECTOR,
    },
    Engine.STORE: {"work": Opcode.STORE},
}


def instruction_layout() -> data.StructLayout:
    """Return an instruction before its fields are told apart, and its index."""
    return data.StructLayout({"bits": 8 * INSTRUCTION_BYTES, "index": INDEX_BITS})


def failure_layout() -> data.StructLayout:
    """Return what stops the machine: a code, or NONE, and the instruction's index."""
    return data.StructLayout({"code": Error, "index": INDEX_BITS})


def job_parts(engine: Engine) -> dict[str, Opcode]:
    """Return the members of an engine's job, and the instructions that they come from."""
    return dict(_JOBS[engine])


def job_layout(engine: Engine) -> data.StructLayout:
    """Return what an engine needs for one piece of work: settings in force, fields, index."""
    parts = {name: fields_layout(opcode) for name, opcode in _JOBS[engine].items()}
    return data.StructLayout({**parts, "index": INDEX_BITS})


def write_layout(words: int, config: Config) -> data.StructLayout:
    """Return the payload of a buffer's write port: word address and bytes."""
    return data.StructLayout({"addr": range(words), "data": 8 * config.word_bytes})


def result_layout(config: Config) -> data.StructLayout:
    """Return the payload of the vector unit's write port.

    With a bit array, results may be parts of a word: ``mask`` says which bytes are written.
    """
    layout = write_layout(config.activation_words, config)
    mask = {"mask": config.word_bytes} if config.bit_lanes else {}
    return data.StructLayout({**layout.members, **mask})


def read_latency(config: Config) -> int:
    """Return the cycles from an address of the activation buffer to its data."""
    return 1 + 2 * config.pipeline


def read_signature(words: int, config: Config) -> wiring.Signature:
    """Return a read port as its user sees it: a stream of addresses, and data.

    ``data`` holds the word of the address that was transferred ``read_latency`` cycles before.
    """
    return wiring.Signature(
        {
            "addr": Out(stream.Signature(range(words))),
            "data": In(8 * config.word_bytes),
        }
    )


def parameter_latency(config: Config) -> int:
    """Return the cycles from an address of the parameter buffer to its data."""
    return 1 + 2 * config.pipeline


def private_read_signature(words: int, width: int) -> wiring.Signature:
    """Return a read port that is never contended.

    ``data`` follows ``addr`` by one cycle; for parameter words by ``parameter_latency``.
    """
    return wiring.Signature({"addr": Out(range(words)), "data": In(width)})


def window_read_signature(config: Config) -> wiring.Signature:
    """Return the feeder's read port: never waits, data ``read_latency`` cycles later.

    ``data`` holds the word at ``addr`` below the word after it, which is the first word of the
    buffer if ``addr`` is the last. Without ``wide`` the upper word is arbitrary. ``banks`` says
    which banks are read, one bit each; all of it comes from registers.
    """
    return wiring.Signature(
        {
            "addr": Out(range(config.activation_words)),
            "wide": Out(1),
            "banks": Out(config.activation_banks),
            "data": In(16 * config.word_bytes),
        }
    )


def accumulator_read_signature(config: Config) -> wiring.Signature:
    """Return the vector unit's view of the accumulators: all columns, ``latency`` cycles later."""
    return wiring.Signature(
        {
            "half": Out(1),
            "pixel": Out(range(config.accumulator_pixels)),
            "data": In(data.ArrayLayout(signed(32), config.columns)),
        }
    )


def write_trace_signature(config: Config) -> wiring.Signature:
    """Return words that are written, for an observer; bytes that are not written are 0."""
    return wiring.Signature(
        {
            "valid": Out(1),
            "addr": Out(range(config.activation_words)),
            "data": Out(8 * config.word_bytes),
        }
    )
