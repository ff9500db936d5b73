"""EngineQueue: an engine's instructions in order, and what the first one waits for."""

from collections import deque
from enum import IntEnum

from ...isa.instructions import ENGINES, Engine, Opcode, is_work
from ...isa.timing import QUEUE_DEPTH, TOKEN
from .agenda import NEVER
from .listing import Fields
from .stream_queue import StreamQueue

__all__ = ["EngineQueue", "Tokens", "Wait"]

_WAITS = tuple(f"wait_{engine.name.lower()}" for engine in ENGINES)


class Wait(IntEnum):
    """What a piece of work waited for last, before it started."""

    #: Work of this engine, whose number it names.
    LOAD = Engine.LOAD
    MAC = Engine.MAC
    VECTOR = Engine.VECTOR
    STORE = Engine.STORE
    #: Its own engine, which was not free.
    ENGINE = len(ENGINES)
    #: Itself: it had not been fetched, or stood behind others in the queue.
    INSTRUCTION = len(ENGINES) + 1


class Tokens:
    """Completed work of each engine: in which cycles, as far as they are known."""

    def __init__(self) -> None:
        self.dones: list[list[int]] = [[] for _ in ENGINES]

    def since(self, engine: int, count: int) -> int:
        """Return from which cycle on so much work has completed; ``NEVER`` if not known."""
        if not count:
            return 0
        dones = self.dones[engine]
        return dones[count - 1] + TOKEN if count <= len(dones) else NEVER


class EngineQueue:
    """Hold one engine's instructions; settings leave in the cycle they are offered in.

    Parameters
    ----------
    engine : Engine
        Whose queue it is.
    tokens : Tokens
        Completed work.

    Attributes
    ----------
    settings : dict from Opcode to Fields
        In force for the work at the head.
    head : mapping or None
        Fields of the work that waits.
    """

    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self.engine = engine
        self._tokens = tokens
        self._queue = StreamQueue(QUEUE_DEPTH)
        self._waiting: deque[tuple[Opcode, Fields]] = deque()
        self.settings: dict[Opcode, Fields] = {}
        self.head: Fields | None = None
        self._offered = 0
        self._waits: list[tuple[int, int]] = []

    def room(self) -> int | None:
        """Return from which cycle on an instruction can enter; None if that is not known yet."""
        return self._queue.room()

    def write(self, time: int, opcode: Opcode, fields: Fields) -> bool:
        """Take an instruction in a cycle; return whether it is work at the head now."""
        self._queue.writes.append(time)
        self._waiting.append((opcode, fields))
        return self.head is None and self._expose()

    def pop(self, time: int) -> None:
        """Let the work at the head go in a cycle."""
        self.head = None
        self._queue.pops.append(time)
        self._expose()

    def ready(self) -> int:
        """Return from which cycle on the head may start; ``NEVER`` if that is not known."""
        if self.head is None:
            return NEVER
        time = self._offered
        for engine, count in self._waits:
            time = max(time, self._tokens.since(engine, count))
        return time

    def reason(self, free: int) -> Wait:
        """Return what the head waits for last, if its engine is free from a cycle on."""
        last, wait = max(self._offered, free), Wait.INSTRUCTION
        if free >= self._offered and free:
            wait = Wait.ENGINE
        for engine, count in self._waits:
            since = self._tokens.since(engine, count)
            if since > last or (since == last and wait is Wait.INSTRUCTION):
                last, wait = since, Wait(engine)
        return wait

    def _expose(self) -> bool:
        """Carry out settings until work is at the head; return whether some is."""
        while self._waiting:
            opcode, fields = self._waiting.popleft()
            self._offered = self._queue.offered(len(self._queue.pops))
            if is_work(opcode):
                self.head = fields
                counts = enumerate(fields[name] for name in _WAITS)
                self._waits = [(engine, count) for engine, count in counts if count]
                return True
            self.settings[opcode] = fields
            self._queue.pops.append(self._offered)
        return False
