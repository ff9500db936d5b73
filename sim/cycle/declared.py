"""What the compiled model is told of the machine: a C++ header written from ``isa/``."""

from collections.abc import Iterator

from ...isa import timing
from ...isa.config import Config
from ...isa.instructions import (
    ENGINES,
    FORMATS,
    Buffer,
    Opcode,
    VectorSource,
    engine_of,
    is_work,
)
from .engine_queue import Wait
from .memory import Memory

__all__ = ["config_values", "declarations", "memory_values"]

#: Functions of ``isa/timing.py``, and members of Config in C++.
_DELAYS = (
    *("token", "queue_check", "decode_rest", "store_arrival", "operand_check", "mac_done"),
    *("accumulator_distance", "load_banks"),
    *("fetch_register", "transfer_rest", "vector_start", "pixel_done", "word_done"),
)

#: Members of Config in C++, in order.
_CONFIG = (
    *("rows", "columns", "bus_bytes", "word_bytes", "burst_beats", "id"),
    *("banks", "word_shift", "address_mask", "fetch_burst", "fetch_queue"),
    *_DELAYS,
)
_MEMORY = ("latency", "interval", "outstanding")


def config_values(config: Config) -> list[int]:
    """Return what the compiled model needs of a configuration, in the order it expects."""
    derived = {
        "banks": config.activation_banks,
        "word_shift": config.word_bytes.bit_length() - 1,
        "address_mask": (1 << (config.activation_bytes - 1).bit_length()) - 1,
        "fetch_burst": timing.fetch_burst_beats(config),
        "fetch_queue": timing.fetch_queue_beats(config),
        **{name: getattr(timing, name)(config) for name in _DELAYS},
    }
    return [derived[name] if name in derived else getattr(config, name) for name in _CONFIG]


def memory_values(memory: Memory) -> list[int]:
    """Return a memory's numbers, in the order the compiled model expects."""
    return [getattr(memory, name) for name in _MEMORY]


def declarations() -> str:
    """Return the header: structures, constants of timing, opcodes and fields."""
    return "\n".join([*_structures(), *_constants(), *_opcodes(), *_fields()]) + "\n"


def _structures() -> Iterator[str]:
    yield f"struct Config {{ int64_t {', '.join(_CONFIG)}; }};"
    yield f"struct Memory {{ int64_t {', '.join(_MEMORY)}; }};"


def _constants() -> Iterator[str]:
    for name in timing.__all__:
        if isinstance(value := getattr(timing, name), int):
            yield f"constexpr Time {name} = {value};"
    for wait in Wait:
        yield f"constexpr int WAIT_{wait.name} = {int(wait)};"
    for engine in ENGINES:
        yield f"constexpr int {engine.name} = {int(engine)};"
    yield f"constexpr int BUFFER_ACTIVATION = {int(Buffer.ACTIVATION)};"
    yield f"constexpr int SOURCE_ACTIVATION = {int(VectorSource.ACTIVATION)};"
    bits = next(f for f in FORMATS[Opcode.VECTOR_REQUANTIZE] if f.name == "threshold_bits")
    cycles = ", ".join(str(timing.threshold_cycles(n)) for n in range(bits.high + 1))
    yield f"constexpr Time THRESHOLD_CYCLES[] = {{{cycles}}};"


def _opcodes() -> Iterator[str]:
    """Yield opcodes, the engine of each, and whether it makes that engine work."""
    codes = range(max(Opcode) + 1)
    named = {int(opcode): opcode for opcode in FORMATS}
    engines = {code: engine_of(opcode) for code, opcode in named.items()}
    numbers = [-1 if (e := engines.get(code)) is None else int(e) for code in codes]
    works = [
        n if c in named and is_work(named[c]) else -1 for c, n in zip(codes, numbers, strict=True)
    ]
    exist = [str(code in named).lower() for code in codes]
    yield f"constexpr int OPCODES = {len(codes)};"
    yield f"constexpr bool EXISTS[] = {{{', '.join(exist)}}};"
    for function, values in (("engine_of", numbers), ("work_of", works)):
        table = ", ".join(map(str, values))
        yield f"constexpr int {function.upper()}[] = {{{table}}};"
        yield f"constexpr int {function}(int opcode) {{ return {function.upper()}[opcode]; }}"
    for opcode in FORMATS:
        yield f"constexpr int OPCODE_{opcode.name} = {int(opcode)};"


def _fields() -> Iterator[str]:
    for opcode, fields in FORMATS.items():
        position = 0
        for field in fields:
            where = f"{position}, {field.width}, {str(field.signed).lower()}"
            yield f"constexpr Field {opcode.name}_{field.name}{{{where}}};"
            position += field.width
    waits = (f"LOAD_wait_{engine.name.lower()}" for engine in ENGINES)
    yield f"constexpr Field WAITS[] = {{{', '.join(waits)}}};"
