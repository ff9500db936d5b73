"""ReadArbiter: who may ask memory for a burst, and when its beats come."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from ...isa.timing import OUTSTANDING, REGISTER
from .agenda import NEVER, Agenda, Alarm
from .fetch import Fetch
from .load import Load
from .memory import Memory, Requests
from .stream_queue import StreamQueue
from .vector import Vector

__all__ = ["ReadArbiter"]

#: A burst whose words may wait is looked at so long before its end.
_EARLY = 4

#: Beats that a register stage holds.
_HELD = 2


@dataclass(slots=True)
class _Burst:
    """A burst, how many beats it has, and how many of them have not been taken."""

    number: int
    fetches: bool
    size: int
    beats: int


class ReadArbiter:
    """Share the read channels between Fetch and Load.

    Parameters
    ----------
    agenda : Agenda
        Time.
    memory : Memory
        What answers.
    fetch, load : Fetch, Load
        Who asks; fetch goes first.
    vector : Vector
        Its writes delay words of LOAD.
    changed : callable
        Called after words of LOAD were taken or bursts of it were issued.

    Attributes
    ----------
    fetched, loaded : int
        Beats asked for.
    bursts : list of tuple of int
        Of each burst that came: the cycle of its last beat, its beats, whether FETCH asked for it.
    """

    def __init__(
        self,
        agenda: Agenda,
        memory: Memory,
        *,
        fetch: Fetch,
        load: Load,
        vector: Vector,
        changed: Callable[[], None],
    ) -> None:
        self._fetch, self._load, self._vector, self._changed = fetch, load, vector, changed
        self._issue_alarm = Alarm(agenda, self._issue)
        self._beat_alarm = Alarm(agenda, self._look)
        self._owners = StreamQueue(OUTSTANDING)
        self._requests, self._interval = Requests(memory), memory.interval
        self._bursts: deque[_Burst] = deque()
        self._issued = -1
        # When the last beat came from memory, and when it and the one before were taken.
        self._came, self._taken, self._taken_before = -memory.interval, -1, -1
        self.fetched = self.loaded = 0
        self.bursts: list[tuple[int, int, bool]] = []

    def plan(self) -> None:
        """Look again when somebody may ask."""
        offered = min(self._fetch.time, self._load.bursts.time)
        if offered < NEVER and (room := self._room()) < NEVER:
            self._issue_alarm.at(max(room, offered))

    def _room(self) -> int:
        """Return from which cycle on a burst may be issued; ``NEVER`` if not known."""
        owners, requests = self._owners.room(), self._requests.room()
        if owners is None or requests is None:
            return NEVER
        return max(owners, requests, self._issued + 1)

    def _issue(self, now: int) -> None:
        if self._room() <= now:
            fetch, load = self._fetch, self._load
            if fetch.time <= now:
                self._accept(now, fetches=True, beats=fetch.beats)
                fetch.issue(now)
            elif load.bursts.time <= now:
                self._accept(now, fetches=False, beats=load.bursts.beats)
                load.take(now)
        if len(self._bursts) == 1:  # nothing else is in front of its beats
            self._receive(now)
        self.plan()
        self._changed()

    def _accept(self, now: int, *, fetches: bool, beats: int) -> None:
        self._issued = now
        self._owners.writes.append(now)
        self._requests.issue(now)
        self._bursts.append(_Burst(len(self._owners.writes) - 1, fetches, beats, beats))
        self.fetched += beats * fetches
        self.loaded += beats * (not fetches)

    def _look(self, now: int) -> None:
        self._receive(now)
        self.plan()
        self._changed()

    def _receive(self, now: int) -> None:
        """Take the beats of bursts in order, as far as their times are known."""
        self._settle(now)
        while self._bursts:
            burst = self._bursts[0]
            due = self._requests.due(burst.number)
            assert due is not None  # those before have been answered
            come = max(due, self._came + self._interval)
            if not self._take(burst, come, now):
                self._foresee()
                self._beat_alarm.at(max(now + 1, come + burst.beats - _EARLY))
                break
            self._requests.answer(burst.number, self._came)
            self.bursts.append((self._came, burst.size, burst.fetches))
            self._owners.pops.append(self._taken)
            self._bursts.popleft()
        self._settle(now)

    def _foresee(self) -> None:
        """Note which answers end with a beat that has come, or will, and is not taken yet.

        Two such beats fit in front of LOAD; memory may take its next request meanwhile.
        """
        come, before, beats = self._came, self._taken_before, 0
        for burst in islice(self._bursts, _HELD):
            if (due := self._requests.due(burst.number)) is None:
                return
            for left in range(burst.beats, 0, -1):
                come = max(due, come + self._interval, before + 1)
                before, beats = self._taken, beats + 1
                if left == 1:
                    self._requests.answer(burst.number, come)
                if beats == _HELD:
                    return

    def _settle(self, now: int) -> None:
        """Let LOAD write the word that it has, or come again when it may."""
        if self._load.owed >= 0:
            self._vector.advance(now)
            if not self._load.settle(now + self._vector.writes_ahead):
                self._beat_alarm.at(max(now + 1, self._load.owed - _EARLY))

    def _take(self, burst: _Burst, come: int, now: int) -> bool:
        """Take a burst whose beats may come from a cycle on; return whether all are taken."""
        known = now + self._vector.writes_ahead
        if not burst.fetches and self._load.waits():
            if self._load.owed >= 0 or come + REGISTER + burst.beats > known:
                return False
            self._vector.advance(now)
        if self._interval == 1 and self._taken <= come:
            if burst.fetches:
                self._fetch.arrive(come + REGISTER, burst.beats)
            elif not self._load.take_all(come + REGISTER, burst.beats):
                return self._take_beats(burst, come, known)
            self._came = come + burst.beats - 1
            before, self._taken = self._taken, self._came + REGISTER
            self._taken_before = self._taken - 1 if burst.beats > 1 else before
            return True
        return self._take_beats(burst, come, known)

    def _take_beats(self, burst: _Burst, come: int, known: int) -> bool:
        """Take beats one after the other, as far as known; return whether all are taken."""
        while burst.beats:
            come = max(come, self._taken_before + 1)
            offered = max(come, self._taken) + REGISTER
            if burst.fetches:
                taken: int | None = offered
                self._fetch.arrive(offered, 1)
            else:
                taken = self._load.take_beat(offered, known)
            if taken is None:
                return False
            self._came, self._taken_before, self._taken = come, self._taken, taken
            come += self._interval
            burst.beats -= 1
        return True
