"""Machine: the blocks together, and when each piece of work starts."""

from collections.abc import Callable

from ...isa.config import Config
from ...isa.instructions import ENGINES, Engine, Opcode, is_work
from ...isa.timing import RUN_END, queue_check
from .activation_buffer import ActivationBuffer
from .agenda import NEVER, Agenda, Alarm
from .engine_queue import EngineQueue, Tokens
from .fetch import Fetch
from .listing import Fields, Listing
from .load import Load
from .mac_engine import MacEngine
from .memory import Memory
from .read_arbiter import ReadArbiter
from .store import Store
from .transfer import Transfer
from .vector import Vector

__all__ = ["Machine"]


class Machine:
    """Run one program.

    Parameters
    ----------
    config : Config
        The accelerator.
    listing : list
        Instructions up to END.
    length : int
        Instructions of the program, those after END included.
    memory : Memory
        External memory.

    Attributes
    ----------
    starts, dones : list of list of int
        Cycles in which each engine's pieces of work start and complete.
    waits, waited : list of list of int
        What each of them waited for last, and how much earlier it would have started without that.
    """

    def __init__(self, config: Config, listing: Listing, length: int, memory: Memory) -> None:
        self._config, self._check = config, queue_check(config)
        self._tokens = Tokens(config)
        self.dones = self._tokens.dones
        self.starts: list[list[int]] = [[] for _ in ENGINES]
        self.waits: list[list[int]] = [[] for _ in ENGINES]
        self.waited: list[list[int]] = [[] for _ in ENGINES]
        self._left = sum(is_work(opcode) for opcode, _ in listing)
        self.agenda = agenda = Agenda()
        self._queues = [EngineQueue(config, engine, self._tokens) for engine in ENGINES]
        self._alarms = [Alarm(agenda, self._starter(engine)) for engine in ENGINES]
        self._buffer = buffer = ActivationBuffer()
        self.fetch = Fetch(config, listing, length, self._queues, self._consider)
        self.mac = MacEngine(config, buffer)
        self.vector = Vector(config, buffer, agenda, self._done(Engine.VECTOR))
        self.load = Load(config, buffer, self._done(Engine.LOAD))
        self.reads = ReadArbiter(
            agenda,
            memory,
            fetch=self.fetch,
            load=self.load,
            vector=self.vector,
            changed=self._consider_load,
        )
        self.store = Store(
            config,
            agenda,
            memory,
            buffer=buffer,
            vector=self.vector,
            completed=self._done(Engine.STORE),
            changed=self._consider_store,
        )

    def run(self) -> int:
        """Run to the end, and return the cycles that it took; ``NEVER`` if work is left."""
        self.reads.plan()
        self.agenda.run(self.end)
        return self.end()

    def end(self) -> int:
        """Return the first cycle that does not count; ``NEVER`` while that is not known."""
        if self._left or self.fetch.ended == NEVER:
            return NEVER
        last = max((dones[-1] for dones in self.dones if dones), default=0)
        return max(last, self.fetch.ended) + RUN_END

    def stalls(self) -> list[list[int]]:
        """Return the cycles in which each engine's pieces of work stood still inside it."""
        engines = (self.load, self.mac, self.vector, self.store)
        return [engine.stalls for engine in engines]

    def _done(self, engine: Engine) -> Callable[[int], None]:
        """Return what is called with the completions of an engine's work."""
        dones, queues = self.dones[engine], self._queues

        def note(time: int) -> None:
            dones.append(time)
            self._left -= 1
            for queue in queues:
                if queue.head is not None:
                    self._consider(queue)

        return note

    def _starter(self, engine: Engine) -> Callable[[int], None]:
        """Return what is called when an engine may start."""
        queue, starts = self._queues[engine], self.starts[engine]
        waits, waited = self.waits[engine], self.waited[engine]

        def start(now: int) -> None:
            if max(queue.ready(), self._free(engine)) > now:
                self._consider(queue)
                return
            work = queue.head
            assert work is not None
            starts.append(now)
            wait, cycles = queue.reason(self._free(engine))
            waits.append(wait)
            waited.append(cycles)
            settings = dict(queue.settings)
            queue.pop(now)
            self._start(engine, now, settings, work)
            self._consider(queue)
            self.fetch.decode()
            self.reads.plan()

        return start

    def _consider(self, queue: EngineQueue) -> None:
        """Let the work at a queue's head start when it can."""
        if queue.head is None or (time := queue.ready()) == NEVER:
            return
        time = max(time, self._free(queue.engine))
        if time < NEVER:
            self._alarms[queue.engine].at(time)

    def _consider_load(self) -> None:
        self._consider(self._queues[Engine.LOAD])

    def _consider_store(self) -> None:
        self._consider(self._queues[Engine.STORE])

    def _free(self, engine: Engine) -> int:
        """Return from which cycle on an engine lets work start; ``NEVER`` if not known, or more."""
        free = self.store.free if engine is Engine.STORE else self.load.free
        if engine is Engine.MAC:
            return self.mac.free + self._check
        if engine is Engine.VECTOR:
            return self.vector.free + self._check
        return free() + self._check

    def _start(
        self, engine: Engine, now: int, settings: dict[Opcode, Fields], work: Fields
    ) -> None:
        """Let an engine take work in this cycle."""
        if engine is Engine.MAC:
            self._forget(now)
            done = self.mac.start(now, settings[Opcode.MAC_LOOPS], work)
            self._done(engine)(done)
        elif engine is Engine.VECTOR:
            loops, requantize = Opcode.VECTOR_LOOPS, Opcode.VECTOR_REQUANTIZE
            self.vector.start(now, settings[loops], settings[requantize], work)
        elif engine is Engine.LOAD:
            self.load.start(now, Transfer.of(work, self._config))
        else:
            self.store.start(now, Transfer.of(work, self._config))

    def _forget(self, now: int) -> None:
        """Leave out reads before the first cycle that somebody may still ask for."""
        self._buffer.reads.forget(min(now, self.vector.position, self.store.position))
