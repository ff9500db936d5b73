"""Fetch: when instructions are asked for, arrive and are decoded."""

from collections.abc import Callable

from ...isa.config import INSTRUCTION_BYTES, Config
from ...isa.instructions import Opcode, engine_of
from ...isa.timing import (
    FETCH_START,
    REGISTER,
    decode_rest,
    fetch_burst_beats,
    fetch_queue_beats,
    fetch_register,
)
from .agenda import NEVER
from .engine_queue import EngineQueue, Wait
from .listing import Listing
from .stream_queue import StreamQueue

__all__ = ["Fetch"]

_ENGINES = {opcode: engine_of(opcode) for opcode in Opcode}


class Fetch:
    """Read a program ahead, and decode it: each instruction goes to its engine's queue.

    Parameters
    ----------
    config : Config
        Bus width.
    listing : list
        Instructions up to END.
    length : int
        Instructions of the program, those after END included.
    queues : list of EngineQueue
        Where they go.
    offered : callable
        Called with a queue that has new work at its head.

    Attributes
    ----------
    time : int
        From which cycle on a burst is offered to the bus; ``NEVER`` if that is not known.
    ended : int
        In which cycle END is decoded; ``NEVER`` while that is not known.
    """

    def __init__(
        self,
        config: Config,
        listing: Listing,
        length: int,
        queues: list[EngineQueue],
        offered: Callable[[EngineQueue], None],
    ) -> None:
        self._listing, self._queues, self._offered = listing, queues, offered
        self._parts = max(1, INSTRUCTION_BYTES // config.bus_bytes)
        self._per_beat = max(1, config.bus_bytes // INSTRUCTION_BYTES)
        self._left = -(-length * INSTRUCTION_BYTES // config.bus_bytes)
        self._burst, self._depth = fetch_burst_beats(config), fetch_queue_beats(config)
        self._queue = StreamQueue(self._depth, fetch_register(config))
        self._asked, self._asks = 0, FETCH_START
        self._rest = decode_rest(config)
        # The instruction that decoding has, or takes next: when it is complete, entered, is offered
        # and has gone; and the last part of one.
        self._index, self._complete, self._entered = 0, NEVER, -1
        self._valid, self._taken, self._part = NEVER, -1, -1
        # Why the next instruction did not come earlier; the same of bursts, the next one last.
        self._late, self._bursts_late = Wait.FETCH, [Wait.FETCH]
        self.time, self.ended = FETCH_START, NEVER

    @property
    def beats(self) -> int:
        """Beats of the burst that is offered."""
        return min(self._burst, self._left)

    def issue(self, time: int) -> None:
        """Let the burst that is offered go in a cycle."""
        self._bursts_late.append(Wait.FETCH)
        self._asked += self.beats
        self._left -= self.beats
        self._asks = time + REGISTER
        self._offer()

    def arrive(self, time: int, beats: int) -> None:
        """Take beats, one each cycle from ``time`` on."""
        self._queue.writes.extend(range(time, time + beats))
        self.decode()

    def decode(self) -> None:
        """Decode as far as is known."""
        while self._gather() and self.ended == NEVER:
            opcode, fields = self._listing[self._index]
            engine = _ENGINES[opcode]
            time = self._valid
            if time > self._taken + max(self._parts, REGISTER + self._rest):
                self._late = self._asked_late()
            if engine is not None:
                room = self._queues[engine].room()
                if room is None:
                    break
                if room > time:
                    time, self._late = room, Wait(Wait.LOAD_QUEUE + engine)
            self._taken, self._valid = time, NEVER
            self._index += 1
            if opcode is Opcode.END:
                self.ended = time
            elif engine is not None:
                queue = self._queues[engine]
                if queue.write(time, opcode, fields, self._late):
                    self._offered(queue)
        self._assemble()
        self._offer()

    def _asked_late(self) -> Wait:
        """Return why memory had not sent the next instruction's beat before.

        A burst that had to wait for room was late because of what held up decoding then.
        """
        beat = self._index * self._parts // self._per_beat
        return self._bursts_late[beat // self._burst]

    def _gather(self) -> bool:
        """Find when the next instruction can be decoded; return whether that is known."""
        if self._valid < NEVER:
            return True
        if not self._assemble():
            return False
        self._entered = max(self._complete, self._taken + self._rest)
        self._valid, self._complete = self._entered + REGISTER, NEVER
        if self._parts == 1 and not (self._index + 1) % self._per_beat:
            self._queue.pops.append(self._entered)
        return True

    def _assemble(self) -> bool:
        """Find when the instruction behind is complete; return whether that is known."""
        if self._complete < NEVER:
            return True
        queue, following = self._queue, self._index + (self._valid < NEVER)
        if self._parts == 1:
            return self._cut(following // self._per_beat)
        for beat in range(len(queue.pops), (following + 1) * self._parts):
            if beat == len(queue.writes):
                return False
            # The last part before leaves with its instruction, which the next one may replace.
            self._part = max(queue.offered(beat), self._part + 1, self._entered + self._rest)
            queue.pops.append(self._part)
        self._complete = self._part + REGISTER
        return True

    def _cut(self, beat: int) -> bool:
        """Do the same where a beat holds whole instructions."""
        queue = self._queue
        if len(queue.writes) <= beat or len(queue.pops) < beat:
            return False
        self._complete = max(queue.offered(beat), self._entered + 1)
        return True

    def _offer(self) -> None:
        """Find when there is room for another burst."""
        self.time = NEVER
        freed = self._asked + self._burst - self._depth
        if self._left <= 0 or freed > len(self._queue.pops):
            return
        room = self._queue.pops[freed - 1] + REGISTER if freed > 0 else 0
        self.time = max(self._asks, room)
        self._bursts_late[-1] = self._late if room > self._asks else Wait.FETCH
