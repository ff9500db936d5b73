"""Store: when words are read, beats are written and bursts are answered."""

from collections import deque
from collections.abc import Callable

import numpy as np

from ...isa.config import Config
from ...isa.timing import (
    PLACE,
    QUEUE_READ,
    REGISTER,
    STORE_JOBS_AHEAD,
    STORE_WORDS_AHEAD,
    store_arrival,
)
from .activation_buffer import ActivationBuffer
from .agenda import NEVER, Agenda, Alarm
from .memory import Memory
from .transfer import Areas, Bursts, Transfer
from .vector import Vector
from .write_port import WritePort

__all__ = ["Store"]

#: Reads of feeder and vector unit are known up to so many cycles ahead.
_AHEAD = 1


class Store:
    """Carry out STORE jobs in order; reads wait for feeder and vector unit.

    Parameters
    ----------
    config : Config
        Word and bus width.
    agenda : Agenda
        Time.
    memory : Memory
        What answers.
    buffer : ActivationBuffer
        Banks.
    vector : Vector
        Reads before this.
    completed : callable
        Called with the cycle of each completion, before it has come.
    changed : callable
        Called after words were read.

    Attributes
    ----------
    beats : int
        Beats written so far.
    bursts : list of tuple of int
        Of each burst in which cycle memory takes the last beat, and its beats.
    stalls : list of int
        Cycles in which words of each job found their bank taken.
    """

    def __init__(
        self,
        config: Config,
        agenda: Agenda,
        memory: Memory,
        *,
        buffer: ActivationBuffer,
        vector: Vector,
        completed: Callable[[int], None],
        changed: Callable[[], None],
    ) -> None:
        self._config, self._buffer, self._vector = config, buffer, vector
        self._changed, self._arrival = changed, store_arrival(config)
        self._alarm = Alarm(agenda, self._look)
        self._bursts = Bursts(config)
        self._areas = Areas(config, STORE_JOBS_AHEAD)
        self._port = WritePort(config, memory, completed)
        self._job: Transfer | None = None
        self._word = self._run = self._addr = self._time = 0
        # Words that were read: when they can enter the queue's output, and whether their run ends.
        self._words: deque[tuple[int, bool]] = deque()
        self._pops: deque[int] = deque([-1] * STORE_WORDS_AHEAD)
        self._unpopped = self._stalled = 0
        self.stalls: list[int] = []
        banks = np.arange(config.activation_banks + config.burst_beats)
        self._banks = (1 << banks % config.activation_banks).astype(np.uint8)

    @property
    def position(self) -> int:
        """First cycle whose banks it may still ask for; ``NEVER`` without a job."""
        return NEVER if self._job is None else self._time

    @property
    def beats(self) -> int:
        """Beats written so far."""
        return self._port.beats

    @property
    def bursts(self) -> list[tuple[int, int]]:
        """Bursts so far."""
        return self._port.bursts

    def free(self) -> int:
        """Return from which cycle on the next job is accepted; ``NEVER`` if not known."""
        room = self._areas.queue.room()
        return NEVER if room is None else max(room, self._bursts.free)

    def start(self, time: int, job: Transfer) -> None:
        """Take a job in a cycle."""
        self._bursts.accept(job, time)
        self._areas.accept(job, time)
        if self._job is None:
            self._follow()
        self._look(time)

    def _look(self, now: int) -> None:
        """Go on as far as reads are known, and come again when more matters."""
        self._vector.advance(now + _AHEAD)
        upto = now + _AHEAD
        while self._issue() | self._stream(upto) | self._read(upto) | self._send():
            pass
        if self._job is not None:
            self._alarm.at(max(now + 1, self._next_look()))
        self._changed()

    def _next_look(self) -> int:
        """Return a cycle up to which nothing else can follow from words that will be read."""
        job = self._job
        assert job is not None
        left = (job.runs - self._run) * job.words - self._word
        if self._bursts.time < NEVER:
            left = min(left, self._port.least_words())
        return self._time + left - 1

    def _issue(self) -> bool:
        """Issue bursts; return whether any was."""
        issued = False
        while self._bursts.time < NEVER:
            bursts = self._bursts
            time = self._port.room(void=not bursts.beats)
            if time is None:
                break
            time = max(time, bursts.time)
            self._port.issue(time, bursts.beats, last=bursts.last)
            bursts.take(time)
            issued = True
        return issued

    def _read(self, upto: int) -> bool:
        """Read words up to a cycle, while there is room; return whether any was read."""
        if self._job is None or self._unpopped == STORE_WORDS_AHEAD:
            return False
        taken = self._buffer.reads.upto(upto)
        read = False
        while self._job is not None and self._unpopped < STORE_WORDS_AHEAD:
            time = max(self._time, self._pops[self._unpopped] + REGISTER)
            bank = 1 << ((self._addr + self._word) % self._config.activation_banks)
            wanted = time
            while time <= upto and taken[time] & bank:
                time += 1
            self._stalled += time - wanted
            self._time = time
            if time > upto:
                break
            self._take(time)
            read = True
        return read

    def _stream(self, upto: int) -> bool:
        """Read and send many words, one each cycle, if nothing holds them up."""
        job, first = self._job, max(self._time, self._pops[0] + REGISTER)
        sent = first + self._arrival + QUEUE_READ + REGISTER
        if job is None or self._unpopped or self._pops[-1] >= sent:
            return False
        count = min(job.words - self._word, upto + 1 - first, self._port.flow(sent))
        if count < STORE_WORDS_AHEAD:
            return False
        count = self._untaken(first, count)
        if count < STORE_WORDS_AHEAD:
            return False
        self._port.take_beats(sent, count)
        self._pops = deque(range(sent + count - STORE_WORDS_AHEAD, sent + count))
        self._advance(first + count - 1, count)
        return True

    def _untaken(self, first: int, count: int) -> int:
        """Return how many words can be read, one each cycle, before a bank is taken."""
        taken = self._buffer.reads.upto(first + count)
        bank = (self._addr + self._word) % self._config.activation_banks
        clashes = np.frombuffer(taken, np.uint8, count, first) & self._banks[bank : bank + count]
        return int((clashes != 0).argmax()) if clashes.any() else count

    def _take(self, time: int) -> None:
        """Read the present word in a cycle."""
        assert self._job is not None
        ends = self._word + 1 == self._job.words
        self._words.append((time + self._arrival + QUEUE_READ, ends))
        self._unpopped += 1
        self._advance(time, 1)

    def _advance(self, time: int, words: int) -> None:
        """Go on by words of one run, the last of which is read in a cycle."""
        job = self._job
        assert job is not None
        self._word += words
        self._time = time + PLACE
        if self._word == job.words:
            self._word, self._run = 0, self._run + 1
            self._addr += job.fields["pitch"]
            if self._run == job.runs:
                self._end(time)
                self._follow()

    def _end(self, time: int) -> None:
        """Note the cycle of a job's last read."""
        self._areas.end(time)
        self.stalls.append(self._stalled)
        self._stalled = 0

    def _follow(self) -> None:
        """Go on with the next job; one that moves nothing has one empty place."""
        self._job = None
        while (found := self._areas.follow()) is not None:
            job, self._time = found
            if job.beats:
                self._job, self._word, self._run = job, 0, 0
                self._addr = job.fields["addr"]
                return
            self._end(self._time)

    def _send(self) -> bool:
        """Turn words into beats; return whether any word left the queue."""
        sent = False
        while self._words and self._port.has_burst():
            entered, ends = self._words[0]
            offered = max(entered, self._pops[-1]) + REGISTER
            self._pops.append(self._port.take_word(offered, ends=ends))
            self._pops.popleft()
            self._words.popleft()
            self._unpopped -= 1
            sent = True
        return sent
