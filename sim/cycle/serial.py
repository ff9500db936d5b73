"""The serial machine's time: one instruction after the other, but weights are loaded meanwhile."""

from dataclasses import dataclass, field

from ...isa.config import INSTRUCTION_BYTES, Config
from ...isa.instructions import ENGINES, Buffer, Engine, Opcode, VectorSource, engine_of, is_work
from ...isa.timing import (
    SERIAL_ANSWERED,
    SERIAL_BURST,
    SERIAL_COMPARED,
    SERIAL_DECODE,
    SERIAL_FETCH,
    SERIAL_FIRST,
    SERIAL_KERNEL,
    SERIAL_MAC_DONE,
    SERIAL_NEXT,
    SERIAL_RESULT,
    SERIAL_RUN_END,
    SERIAL_SKIP,
    SERIAL_SUM,
    SERIAL_TILE,
    SERIAL_WRITE,
    pixel_done,
    serial_start,
    serial_vector_start,
    word_done,
)
from .engine_queue import Wait
from .listing import Fields, Listing
from .memory import Memory
from .vector_issue import VectorIssue

__all__ = ["SerialMachine"]


def _counters() -> dict[str, int]:
    return dict.fromkeys(("mac", "vector", "fetched", "loaded", "written"), 0)


@dataclass
class SerialMachine:
    """Run one program.

    Parameters
    ----------
    config : Config
        The accelerator, with ``serial``.
    listing : list
        Instructions up to END.
    memory : Memory
        External memory.

    Attributes
    ----------
    starts, dones : list of list of int
        Cycles in which each engine's pieces of work start and complete.
    begins : list of int
        Cycle of the first operand of each MAC work.
    reads, fetches, writes : list of (int, int)
        Last beat of each burst, and its beats.
    counts : dict
        Cycles with an operand of the array and with one of the vector unit, and beats.
    """

    config: Config
    listing: Listing
    memory: Memory
    starts: list[list[int]] = field(default_factory=lambda: [[] for _ in ENGINES])
    dones: list[list[int]] = field(default_factory=lambda: [[] for _ in ENGINES])
    begins: list[int] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)
    fetches: list[tuple[int, int]] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=_counters)
    _computed: int = 0  # when the last work of array or vector unit is complete
    _multiplies: bool = False  # it was the array's

    def run(self) -> int:
        """Run to the end, and return the cycles that it took."""
        settings: dict[Opcode, Fields] = {}
        now = SERIAL_FETCH  # the cycle in which the next instruction is asked for
        for index, (opcode, fields) in enumerate(self.listing):
            engine = engine_of(opcode)
            first, decoded = self._fetch(now, index)
            now = decoded + SERIAL_NEXT
            if opcode is Opcode.END:
                return max(decoded, self._computed) + SERIAL_RUN_END
            if engine is None or not is_work(opcode):
                settings[opcode] = fields
                continue
            computes = engine in (Engine.MAC, Engine.VECTOR)
            if computes and first <= self._computed:  # its words could not pass
                first, decoded = self._fetch(max(decoded, self._computed) + SERIAL_NEXT, index)
            elif not computes and self._hinders(engine, fields):
                decoded = max(decoded, self._computed + 1)
            start = decoded + serial_start(engine, self.config)
            done = self._work(engine, start, fields, settings)
            self.starts[engine].append(start)
            self.dones[engine].append(done)
            now = (start if computes else done) + SERIAL_NEXT
            if computes:
                self._computed, self._multiplies = done, engine is Engine.MAC
        raise AssertionError("a listing ends with END")

    def _fetch(self, now: int, index: int) -> tuple[int, int]:
        """Ask for an instruction; return when its first word comes, and when it is decoded."""
        beats = INSTRUCTION_BYTES // self.config.bus_bytes
        last = self._read(now + 1, index * INSTRUCTION_BYTES, beats, self.fetches)
        self.counts["fetched"] += beats
        return now + 1 + self.memory.latency, last + SERIAL_DECODE

    def _hinders(self, engine: Engine, work: Fields) -> bool:
        """Return whether a transfer waits for the end of what array or vector unit do."""
        if engine is not Engine.LOAD or work["buffer"] != Buffer.WEIGHT:
            return True
        issued = len(self.starts[Engine.MAC])
        return self._multiplies and (work["wait_mac"] - issued) % SERIAL_COMPARED == 0

    def waits(self) -> list[list[int]]:
        """Return what each piece of work waited for last: its instruction, always."""
        return [[Wait.FETCH] * len(starts) for starts in self.starts]

    def zeros(self) -> list[list[int]]:
        """Return a zero for each piece of work."""
        return [[0] * len(starts) for starts in self.starts]

    def _work(
        self, engine: Engine, start: int, work: Fields, settings: dict[Opcode, Fields]
    ) -> int:
        """Return when work is complete that starts in a cycle."""
        if engine is Engine.MAC:
            return self._mac(start, settings[Opcode.MAC_LOOPS], work)
        if engine is Engine.VECTOR:
            loops = settings[Opcode.VECTOR_LOOPS]
            return self._vector(start, loops, settings[Opcode.VECTOR_REQUANTIZE], work)
        return self._transfer(engine, start, work)

    def _mac(self, start: int, loops: Fields, work: Fields) -> int:
        tiles = loops["blocks"] * loops["kernel_rows"] * loops["kernel_columns"]
        pixels = work["rows"] * loops["columns"]
        start += SERIAL_FIRST
        self.begins.append(start)
        self.counts["mac"] += tiles * pixels
        last = start + (tiles - 1) * max(pixels, SERIAL_TILE) + pixels - 1
        return last + SERIAL_MAC_DONE

    def _vector(self, start: int, loops: Fields, requantize: Fields, work: Fields) -> int:
        """Return the end of the work: columns take what they take, results in them more."""
        if self.config.serial > 1:
            return self._lanes(start, VectorIssue(self.config, loops, requantize, work))
        kernel = loops["source"] == VectorSource.ACTIVATION
        steps = loops["kernel_rows"] * loops["kernel_columns"] if kernel else 1
        lane = steps + SERIAL_KERNEL if kernel else SERIAL_SUM
        result = self.config.columns * lane
        if kernel or requantize["residual"]:
            result += SERIAL_WRITE
        columns, rows = loops["columns"], work["rows"]
        results = len(range(loops["emit_first"], columns, loops["emit_period"]))
        self.counts["vector"] += rows * results * self.config.columns * steps
        total = rows * (results * result + (columns - results) * SERIAL_SKIP)
        last = results and (columns - 1 - loops["emit_first"]) % loops["emit_period"] == 0
        if last and (kernel or requantize["residual"]):
            total -= SERIAL_WRITE  # which comes at the end anyway
        return start + total + SERIAL_RESULT

    def _lanes(self, start: int, issue: VectorIssue) -> int:
        """Return the end of work with a lane for each channel, which waits for nothing."""
        self.counts["vector"] += issue.taken
        last = start + serial_vector_start(self.config) + issue.count - 1
        return last + (word_done if issue.from_words else pixel_done)(self.config)

    def _transfer(self, engine: Engine, start: int, work: Fields) -> int:
        now, words = start + 1, work["words"]
        for run in range(work["runs"] if words else 0):
            address = work["offset"] + run * work["memory_pitch"]
            if engine is Engine.LOAD:
                now = self._read(now + 1, address, words, self.reads) + SERIAL_BURST
                self.counts["loaded"] += words
            else:
                now = self._write(now + 1, address, words) + SERIAL_BURST
                self.counts["written"] += words
        return now

    def _bursts(self, address: int, words: int) -> list[int]:
        """Return the beats of the bursts that a run is cut into."""
        longest, beat = self.config.burst_beats, address // self.config.bus_bytes
        bursts = []
        while words:
            bursts.append(min(words, longest - beat % longest))
            beat, words = beat + bursts[-1], words - bursts[-1]
        return bursts

    def _read(self, ask: int, address: int, words: int, bursts: list[tuple[int, int]]) -> int:
        """Return the cycle of the last beat of words that are asked for in a cycle."""
        for beats in self._bursts(address, words):
            last = ask + self.memory.latency + (beats - 1) * self.memory.interval
            bursts.append((last, beats))
            ask = last + SERIAL_BURST
        return last

    def _write(self, ask: int, address: int, words: int) -> int:
        """Return the cycle of the answer to the last burst."""
        for beats in self._bursts(address, words):
            last = ask + 2 + (beats - 1) * self.memory.interval
            self.writes.append((last, beats))
            answer = last + max(SERIAL_ANSWERED, self.memory.latency)
            ask = answer + SERIAL_BURST
        return answer
