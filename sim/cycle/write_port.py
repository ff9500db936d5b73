"""WritePort: when beats go to memory, and when bursts are answered."""

from collections import deque
from collections.abc import Callable

from ...isa.config import Config
from ...isa.timing import OUTSTANDING, REGISTER, STORE_PENDING
from .memory import Memory
from .stream_queue import StreamQueue

__all__ = ["WritePort"]


class WritePort:
    """Turn words into beats, match beats with bursts, and wait for the answers.

    Parameters
    ----------
    config : Config
        Word and bus width.
    memory : Memory
        What answers.
    completed : callable
        Called with the cycle of each completed job.

    Attributes
    ----------
    beats : int
        Beats so far.
    bursts : list of tuple of int
        Of each burst in which cycle memory takes the last beat, and its beats.
    """

    def __init__(self, config: Config, memory: Memory, completed: Callable[[int], None]) -> None:
        self._memory, self._completed = memory, completed
        self._words_per_beat = max(1, config.bus_bytes // config.word_bytes)
        self._beats_per_word = max(1, config.word_bytes // config.bus_bytes)
        self._lengths = StreamQueue(OUTSTANDING)
        self._pending = StreamQueue(STORE_PENDING)
        # Of bursts not answered yet: beats, last of its job; beats that are left of the first.
        self._held: deque[tuple[int, bool]] = deque()
        self._sizes: list[int] = []
        self._left = 0
        self._answers: list[int] = []
        self._part, self._gathered, self._sent = 0, -1, -1
        # When memory took the last beat, and the one before.
        self._written, self._written_before = -memory.interval, -1
        self.beats = 0
        self.bursts: list[tuple[int, int]] = []

    def room(self, *, void: bool) -> int | None:
        """Return from which cycle on a burst can be issued; None if that is not known yet."""
        pending = self._pending.room()
        if void or pending is None:
            return pending
        lengths = self._lengths.room()
        before = len(self._lengths.writes) - OUTSTANDING
        if lengths is None or before >= len(self._answers):
            return None
        return max(pending, lengths, self._answers[before] + REGISTER if before >= 0 else 0)

    def issue(self, time: int, beats: int, *, last: bool) -> None:
        """Issue a burst in a cycle; one of no beats is for a job that moves nothing."""
        self._pending.writes.append(time)
        self._held.append((beats, last))
        if beats:
            self._lengths.writes.append(time)
            self._sizes.append(beats)
            self.beats += beats
            if self._left == 0:
                self._begin()
        self._settle(-1)

    def has_burst(self) -> bool:
        """Return whether it is known when the next beat's burst was issued."""
        return self._left > 0

    def least_words(self) -> int:
        """Return how many words at least the present burst still takes."""
        return max(1, self._left // self._beats_per_word)

    def take_word(self, offered: int, *, ends: bool) -> int:
        """Take a word that is offered from a cycle on; return the cycle in which it is taken."""
        if self._words_per_beat > 1:
            return self._gather(offered, ends=ends)
        for _ in range(self._beats_per_word):
            self._send(offered)
        return self._sent

    def flow(self, first: int) -> int:
        """Return how many words can be taken, one each cycle from one on, as one beat each."""
        narrow = self._words_per_beat > 1 or self._beats_per_word > 1
        if narrow or not self._left or self._memory.interval > 1:
            return 0
        offered = self._lengths.offered(len(self._lengths.pops))
        return self._left if max(self._sent, self._written_before, offered - 1) < first else 0

    def take_beats(self, first: int, count: int) -> None:
        """Take words, one each cycle from one on, as far as :meth:`flow` allows."""
        self._left -= count - 1
        self._sent = first + count - 2
        self._written_before, self._written = self._sent, self._sent + REGISTER
        self._send(first + count - 1)

    def _gather(self, offered: int, *, ends: bool) -> int:
        """Take a part of a beat; the last one sends it."""
        time = max(offered, self._gathered + 1, self._sent)
        self._gathered = time
        self._part += 1
        if ends or self._part == self._words_per_beat:
            self._part = 0
            self._send(time + REGISTER)
        return time

    def _begin(self) -> None:
        index = len(self._lengths.pops)
        self._left = self._sizes[index] if index < len(self._sizes) else 0

    def _send(self, offered: int) -> None:
        """Send a beat; the last one of a burst has memory answer."""
        lengths = self._lengths
        room = max(self._sent, self._written_before) + 1
        self._sent = max(offered, room, lengths.offered(len(lengths.pops)))
        written = max(self._sent + REGISTER, self._written + self._memory.interval)
        self._written_before, self._written = self._written, written
        self._left -= 1
        if self._left:
            return
        complete = max(lengths.writes[len(lengths.pops)] + REGISTER, written)
        self.bursts.append((written, self._sizes[len(lengths.pops)]))
        lengths.pops.append(self._sent)
        self._begin()
        self._settle(complete + self._memory.latency)

    def _settle(self, answer: int) -> None:
        """Note a burst's answer, if one is given, and complete what moves nothing."""
        pending = self._pending
        while self._held:
            index, (beats, last) = len(pending.pops), self._held[0]
            time = pending.offered(index)
            if beats:
                if answer < 0:
                    return
                after = self._answers[-1] + 1 if self._answers else 0
                time = max(time, answer, after)
                self._answers.append(time)
                answer = -1
            self._held.popleft()
            pending.pops.append(time)
            if last:
                self._completed(time)
