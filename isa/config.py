"""Configuration of one accelerator: about ten numbers, everything else derived."""

import difflib
import hashlib
import tomllib
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path

__all__ = ["Config", "ConfigError", "load_config", "named_configs"]

#: Raised with every incompatible change of instructions, layouts or arithmetic.
ISA_VERSION = 4

#: Bytes of one instruction.
INSTRUCTION_BYTES = 32

#: Largest scratchpad of a serial machine.
_SERIAL_WORDS = 1 << 14

#: Bytes of one channel's entry in a parameter word: bias, shift and second bias, or taps.
PARAMETER_LANE_BYTES = 8


class ConfigError(ValueError):
    """A configuration that cannot be built; the message quotes the offending value."""


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class Config:
    """An accelerator, as the numbers a person chooses.

    Parameters
    ----------
    name : str
        Identifier; part of reports and of generated file headers.
    rows : int
        Input channels (reduction) the array takes each cycle, 2…64.
    columns : int
        Output channels it makes each cycle, ``rows``…64.
    bus_bytes : int
        Width of the AXI4 data bus: 4, 8, 16, 32 or 64.
    activation_bytes, weight_bytes, parameter_bytes : int
        Sizes of the three scratchpads.
    accumulator_pixels : int
        Output pixels in each of the two halves of the accumulators.
    vector_taps : int
        Kernel taps per lane and cycle of the vector unit, 1…4.
    activation_banks : int
        Banks of the activation buffer, interleaved by word: 2, 4 or 8.
    burst_beats : int
        Longest AXI burst, a power of two up to 256.
    threshold_bits : int
        Widest codes that the vector unit makes by thresholds, 0 (none) to 4.
    bit_lanes : int
        Bits that a column of the bit array takes each cycle: those of a whole activation word,
        ``8 * word_bytes``; 0 leaves the bit array out. Needs columns that are a power of two, and
        one row more than ``log2(bit_lanes)``: as deep as its sums are.
    serial : int
        1 or 2: a machine for the smallest chips, which does one thing after the other
        (:mod:`shiftloom.isa.serial`). 1 needs four rows, columns and bytes of the bus, and has one
        vector lane for all channels; 2 needs eight, and has a lane for each. Both need one tap, and
        neither thresholds nor bit array.
    pipeline : int
        1: more registers, for a faster clock; work takes some cycles longer from start to end
        (:mod:`shiftloom.isa.timing`), and no more of them pass between results, but where fewer
        than five pixels are summed. 0 in a serial machine.

    Raises
    ------
    ConfigError
        A value that cannot be built.
    """

    name: str
    rows: int
    columns: int
    bus_bytes: int
    activation_bytes: int
    weight_bytes: int
    parameter_bytes: int
    accumulator_pixels: int
    vector_taps: int = 3
    activation_banks: int = 4
    burst_beats: int = 64
    threshold_bits: int = 4
    bit_lanes: int = 0
    serial: int = 0
    pipeline: int = 0

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"name must be an identifier, not {self.name!r}")
        self._check("rows", 2 <= self.rows <= 64, "be 2…64")
        self._check("columns", self.rows <= self.columns <= 64, f"be rows ({self.rows})…64")
        self._check("bus_bytes", self.bus_bytes in (4, 8, 16, 32, 64), "be 4, 8, 16, 32 or 64")
        self._check("vector_taps", 1 <= self.vector_taps <= 4, "be 1…4")
        self._check("activation_banks", self.activation_banks in (2, 4, 8), "be 2, 4 or 8")
        self._check("threshold_bits", 0 <= self.threshold_bits <= 4, "be 0…4")
        self._check_bits()
        self._check("serial", self.serial in (0, 1, 2), "be 0, 1 or 2")
        self._check("pipeline", self.pipeline in (0, 1), "be 0 or 1")
        beats = self.burst_beats
        self._check("burst_beats", _power_of_two(beats) and beats <= 256, "be a power of two ≤ 256")
        burst = self.burst_beats * self.bus_bytes
        self._check("burst_beats", burst <= 4096, f"keep a burst within 4096 bytes (it is {burst})")
        pixels = self.accumulator_pixels
        self._check("accumulator_pixels", 8 <= pixels <= 4096, "be 8…4096")
        step = self.activation_banks * self.word_bytes
        for name, unit in (
            ("activation_bytes", step),
            ("weight_bytes", self.word_bytes),
            ("parameter_bytes", self.parameter_word_bytes),
        ):
            size = getattr(self, name)
            self._check(name, size > 0 and size % unit == 0, f"be a positive multiple of {unit}")
            self._check(name, size <= 1 << 24, "be at most 16 MiB")
        tile = self.columns if self.bit_lanes else self.rows
        self._check("weight_bytes", self.weight_words >= 2 * tile, "hold two weight tiles")
        self._check("parameter_bytes", self.parameter_words >= 4, "hold four parameter words")
        if self.serial:
            self._check_serial()

    def _check_bits(self) -> None:
        if self.bit_lanes:
            lanes = 8 * self.word_bytes
            self._check("bit_lanes", self.bit_lanes == lanes, f"be 0 or {lanes}")
            depth = lanes.bit_length()
            self._check("rows", self.rows >= depth, f"be at least {depth} beside a bit array")
            self._check(
                "columns", self.columns == self.word_bytes, "be a power of two beside a bit array"
            )

    def _check_serial(self) -> None:
        rows = 4 * self.serial
        self._check("rows", self.rows == rows, f"be {rows} with serial = {self.serial}")
        equal = dict.fromkeys(("columns", "bus_bytes"), self.rows)
        for name, right in {**equal, "vector_taps": 1, "threshold_bits": 0, "bit_lanes": 0}.items():
            self._check(name, getattr(self, name) == right, f"be {right} in a serial machine")
        self._check("pipeline", self.pipeline == 0, "be 0 in a serial machine")
        for name in ("activation_words", "weight_words", "parameter_words"):
            words = getattr(self, name)
            if not _power_of_two(words) or words > _SERIAL_WORDS:
                field = name.replace("words", "bytes")
                rule = f"be a power of two up to {_SERIAL_WORDS} words in a serial machine"
                raise ConfigError(f"{field} must {rule}, not {getattr(self, field)}")

    def _check(self, field: str, good: bool, rule: str) -> None:
        if not good:
            raise ConfigError(f"{field} must {rule}, not {getattr(self, field)}")

    @property
    def word_bytes(self) -> int:
        """Bytes of one activation or weight word: ``columns``, up to the next power of two."""
        return 1 << (self.columns - 1).bit_length()

    @property
    def align_bytes(self) -> int:
        """Alignment of every address in external memory."""
        return max(self.word_bytes, self.bus_bytes, INSTRUCTION_BYTES)

    @property
    def activation_words(self) -> int:
        """Words of the activation buffer."""
        return self.activation_bytes // self.word_bytes

    @property
    def weight_words(self) -> int:
        """Words of the weight buffer."""
        return self.weight_bytes // self.word_bytes

    @property
    def parameter_word_bytes(self) -> int:
        """Bytes of one parameter word: eight per lane."""
        return PARAMETER_LANE_BYTES * self.word_bytes

    @property
    def parameter_words(self) -> int:
        """Words of the parameter buffer."""
        return self.parameter_bytes // self.parameter_word_bytes

    @property
    def row_groups(self) -> int:
        """Passes of the array's rows over one activation word."""
        return -(-self.columns // self.rows)

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates of the array in one cycle."""
        return self.rows * self.columns

    @property
    def bit_operations_per_cycle(self) -> int:
        """Products of two bits that the bit array adds in one cycle."""
        return self.bit_lanes * self.columns

    @property
    def memory_bits(self) -> int:
        """Bits of all on-chip memories: scratchpads and accumulators."""
        scratchpads = self.activation_bytes + self.weight_bytes + self.parameter_bytes
        return 8 * scratchpads + 2 * self.accumulator_pixels * self.columns * 32

    @property
    def id(self) -> int:
        """32-bit identity: equal for equal hardware, whatever its name."""
        # What came later counts only where it is used: other identities stay what they were.
        later = ("serial", "pipeline")
        names = [f.name for f in fields(self) if f.name not in ("name", *later)]
        values = [ISA_VERSION, *(getattr(self, name) for name in names), *(1,) * self.serial]
        values += ["pipeline"] * self.pipeline
        digest = hashlib.sha256(",".join(map(str, values)).encode()).digest()
        return int.from_bytes(digest[:4], "little")

    def to_toml(self) -> str:
        """Return the configuration as the text of its TOML file."""
        items = asdict(self).items()
        lines = (f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in items)
        return "\n".join(lines) + "\n"


def named_configs() -> list[str]:
    """Return the names of the configurations that come with the package."""
    folder = resources.files(__package__) / "configs"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_config(source: str | Path | Config) -> Config:
    """Return a configuration by name or from a TOML file.

    Raises
    ------
    ConfigError
        No such name or file, text that is not TOML, an unknown or missing field, or a bad value.
    """
    if isinstance(source, Config):
        return source
    path = Path(source)
    try:
        if path.suffix == ".toml":
            text, where = path.read_text(encoding="utf-8"), str(path)
        else:
            where = f"configuration {source}"
            text = (resources.files(__package__) / "configs" / f"{source}.toml").read_text()
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(named_configs())
        raise ConfigError(f"no configuration {source}: use {known}, or a .toml file") from error
    return parse_config(text, where)


def parse_config(text: str, where: str) -> Config:
    """Return the configuration that a TOML text holds; ``where`` names it in errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not a TOML file: {error}") from error
    known = {f.name: str if f.name == "name" else int for f in fields(Config)}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown field {key}{hint}")
        if type(value) is not known[key]:
            kind = known[key].__name__
            raise ConfigError(f"{where}: {key} must be of type {kind}, not {value!r}")
    try:
        return Config(**values)
    except TypeError as error:
        missing = str(error).partition("missing")[2] or str(error)
        raise ConfigError(f"{where}: missing{missing}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
