"""EngineQueue: an engine's instructions in order, and what the first one waits for."""

from collections import deque
from enum import IntEnum

from ...isa.config import Config
from ...isa.instructions import ENGINES, Engine, Opcode, is_work
from ...isa.timing import QUEUE_DEPTH, QUEUE_READ, queue_check, token
from .agenda import NEVER
from .listing import Fields
from .stream_queue import StreamQueue

__all__ = ["EngineQueue", "Tokens", "Wait"]

_WAITS = tuple(f"wait_{engine.name.lower()}" for engine in ENGINES)


class Wait(IntEnum):
    """What a piece of work waited for last, before it started."""

    #: Work of this engine, whose number it names: a token.
    LOAD = Engine.LOAD
    MAC = Engine.MAC
    VECTOR = Engine.VECTOR
    STORE = Engine.STORE
    #: Its own engine, which was not free.
    ENGINE = len(ENGINES)
    #: Itself: memory had not delivered the instruction.
    FETCH = len(ENGINES) + 1
    #: Settings that stand before it in its queue.
    SETTINGS = len(ENGINES) + 2
    #: A place in this engine's queue, for itself or an instruction before it.
    LOAD_QUEUE = len(ENGINES) + 3
    MAC_QUEUE = len(ENGINES) + 4
    VECTOR_QUEUE = len(ENGINES) + 5
    STORE_QUEUE = len(ENGINES) + 6


class Tokens:
    """Completed work of each engine: in which cycles, as far as they are known."""

    def __init__(self, config: Config) -> None:
        self._delay = token(config)
        self.dones: list[list[int]] = [[] for _ in ENGINES]

    def since(self, engine: int, count: int) -> int:
        """Return from which cycle on so much work has completed; ``NEVER`` if not known."""
        if not count:
            return 0
        dones = self.dones[engine]
        return dones[count - 1] + self._delay if count <= len(dones) else NEVER


class EngineQueue:
    """Hold one engine's instructions; settings leave in the cycle they are offered in.

    Parameters
    ----------
    config : Config
        The accelerator.
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

    def __init__(self, config: Config, engine: Engine, tokens: Tokens) -> None:
        self.engine = engine
        self._check = queue_check(config)
        self._tokens = tokens
        self._queue = StreamQueue(QUEUE_DEPTH)
        self._waiting: deque[tuple[Opcode, Fields, Wait]] = deque()
        self.settings: dict[Opcode, Fields] = {}
        self.head: Fields | None = None
        self._offered = 0
        # Why the head was not offered earlier, and what left before it.
        self._late, self._before = Wait.FETCH, Wait.ENGINE
        self._waits: list[tuple[int, int]] = []

    def room(self) -> int | None:
        """Return from which cycle on an instruction can enter; None if that is not known yet."""
        return self._queue.room()

    def write(self, time: int, opcode: Opcode, fields: Fields, late: Wait) -> bool:
        """Take an instruction in a cycle, and why it did not come earlier.

        Return whether it is work at the head now.
        """
        self._queue.writes.append(time)
        self._waiting.append((opcode, fields, late))
        return self.head is None and self._expose()

    def pop(self, time: int) -> None:
        """Let the work at the head go in a cycle."""
        self.head = None
        self._before = Wait.ENGINE
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

    def reason(self, free: int) -> tuple[Wait, int]:
        """Return what the head waits for last, if its engine is free from a cycle on.

        And how many cycles earlier it would start without that.
        """
        last, before, wait = self._offered, 0, self._late
        since = self._tokens.since
        times = [(since(engine, count), Wait(engine)) for engine, count in self._waits]
        for time, other in ((free, Wait.ENGINE), *times):
            if time > last or (time == last and wait > Wait.ENGINE and time):
                last, before, wait = time, last, other
            else:
                before = max(before, time)
        return wait, last - before

    def _expose(self) -> bool:
        """Carry out settings until work is at the head; return whether some is."""
        while self._waiting:
            opcode, fields, late = self._waiting.popleft()
            pops, index = self._queue.pops, len(self._queue.pops)
            self._offered = self._queue.offered(index)
            follows = index and pops[-1] > self._queue.writes[index] + QUEUE_READ
            self._late = self._before if follows else late
            if is_work(opcode):
                self.head = fields
                self._offered += self._check
                counts = enumerate(fields[name] for name in _WAITS)
                self._waits = [(engine, count) for engine, count in counts if count]
                return True
            self.settings[opcode] = fields
            self._before = Wait.SETTINGS
            pops.append(self._offered)
        return False
