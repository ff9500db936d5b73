"""Load: when words arrive and are written, beat by beat."""

from collections.abc import Callable

from ...isa.config import Config
from ...isa.instructions import Buffer
from ...isa.timing import LOAD_JOBS_AHEAD, REGISTER, load_banks
from .activation_buffer import ActivationBuffer
from .agenda import NEVER
from .transfer import Areas, Bursts, Transfer

__all__ = ["Load"]


class Load:
    """Carry out LOAD jobs: bursts that are asked for, words that are written.

    Parameters
    ----------
    config : Config
        Word and bus width.
    buffer : ActivationBuffer
        Banks; the vector unit writes first.
    completed : callable
        Called with the cycle of each completion, as soon as it is known.

    Attributes
    ----------
    bursts : Bursts
        What is asked for.
    owed : int
        From which cycle on a word that is complete can be written; negative if there is none.
    stalls : list of int
        Cycles in which words of each job found their bank taken.
    """

    def __init__(
        self, config: Config, buffer: ActivationBuffer, completed: Callable[[int], None]
    ) -> None:
        self._config, self._buffer, self._completed = config, buffer, completed
        self.bursts = Bursts(config)
        self._areas = Areas(config, LOAD_JOBS_AHEAD)
        self._words_per_beat = max(1, config.bus_bytes // config.word_bytes)
        self._beats_per_word = max(1, config.word_bytes // config.bus_bytes)
        self._job: Transfer | None = None
        self._word = self._run = self._addr = self._place = 0
        self._part, self._word_time, self.owed = 0, -1, -1
        self._since, self._stalled = 0, 0
        self.stalls: list[int] = []

    def free(self) -> int:
        """Return from which cycle on the next job is accepted; ``NEVER`` if not known."""
        room = self._areas.queue.room()
        return NEVER if room is None else max(room, self.bursts.free)

    def start(self, time: int, job: Transfer) -> None:
        """Take a job in a cycle."""
        self.bursts.accept(job, time)
        while not self.bursts.beats and self.bursts.time < NEVER:
            self.bursts.take(self.bursts.time)
        self._areas.accept(job, time)
        if self._job is None:
            self._follow()

    def take(self, time: int) -> None:
        """Let the burst that is offered go in a cycle; bursts of nothing go by themselves."""
        self.bursts.take(time)
        while not self.bursts.beats and self.bursts.time < NEVER:
            self.bursts.take(self.bursts.time)

    def waits(self) -> bool:
        """Return whether the present job's words may have to wait."""
        assert self._job is not None
        return self._job.fields["buffer"] == Buffer.ACTIVATION

    def take_all(self, first: int, beats: int) -> bool:
        """Take beats of one burst, one each cycle from ``first`` on, if none has to wait."""
        job = self._job
        assert job is not None
        if self._words_per_beat > 1 or max(self._word_time, self._place) > first:
            return False
        parts = self._part + beats
        words, part = divmod(parts, self._beats_per_word)
        last = first + beats - 1 - part + (self._beats_per_word > 1)
        if self.waits() and words:
            taken = self._buffer.writes.upto(last)
            if any(taken[first : last + 1]):
                return False
        self._part = part
        if words:
            self._word_time = last
            self._advance(words, last)
        return True

    def take_beat(self, time: int, upto: int) -> int | None:
        """Take a beat that is offered from a cycle on.

        Returns
        -------
        int or None
            In which cycle it is taken; None if that is after ``upto``, the last cycle of which
            the vector unit's writes are known. Then nothing has changed but words that went.
        """
        if self._beats_per_word > 1:
            return self._gather(time, upto)
        words = self._words_per_beat
        assert self._job is not None
        while True:
            offered = max(time, self._word_time + 1, self._place)
            time = self._find(offered, upto)
            if time > upto and self.waits():
                return None
            self._stalled += time - offered
            self._word_time = time
            self._part += 1
            ends = self._part == words or self._word + 1 == self._job.words
            if ends:
                self._part = 0
            self._advance(1, time)
            if ends:
                return time

    def _gather(self, time: int, upto: int) -> int | None:
        """Take a part of a word; the word before must have been written."""
        if not self.settle(upto):
            return None
        time = max(time, self._word_time)
        self._part += 1
        if self._part == self._beats_per_word:
            self._part, self.owed = 0, time + REGISTER
            self._since = max(self.owed, self._place)
            self.settle(upto)
        return time

    def settle(self, upto: int) -> bool:
        """Write a word that is complete, if that is known to happen up to a cycle.

        Return whether no such word is left.
        """
        if self.owed < 0:
            return True
        written = self._find(self.owed, upto)
        if written > upto and self.waits():
            self.owed = written
            return False
        self._stalled += written - self._since
        self._word_time, self.owed = written, -1
        self._advance(1, written)
        return True

    def _find(self, time: int, upto: int) -> int:
        """Return the first cycle in which the present word's bank is not taken."""
        time = max(time, self._place)
        if not self.waits():
            return time
        bank = 1 << ((self._addr + self._word) % self._config.activation_banks)
        if not load_banks(self._config):
            bank = (1 << self._config.activation_banks) - 1
        taken = self._buffer.writes.upto(upto + 1)
        while time <= upto and taken[time] & bank:
            time += 1
        return time

    def _advance(self, words: int, time: int) -> None:
        """Go on by words of one run, the last of which is written in a cycle."""
        job = self._job
        assert job is not None
        self._word += words
        if self._word < job.words:
            return
        self._word, self._run = 0, self._run + 1
        self._addr += job.fields["pitch"]
        if self._run == job.runs:
            self._areas.end(time)
            self._complete(time)
            self._follow()

    def _follow(self) -> None:
        """Go on with the next job; those that move nothing complete at once."""
        self._job = None
        while (found := self._areas.follow()) is not None:
            job, self._place = found
            if job.beats:
                self._job, self._word, self._run = job, 0, 0
                self._addr = job.fields["addr"]
                return
            self._areas.end(self._place)
            self._complete(self._place)

    def _complete(self, time: int) -> None:
        self.stalls.append(self._stalled)
        self._stalled = 0
        self._completed(time)
