"""Agenda: what is to be looked at, and in which cycle, in order."""

import heapq
from collections.abc import Callable

__all__ = ["NEVER", "Agenda", "Alarm"]

#: A cycle that never comes.
NEVER = 1 << 62


class Alarm:
    """Call a function at one time, the earliest of those asked for.

    Parameters
    ----------
    agenda : Agenda
        Where it is kept.
    callback : callable
        Called with the cycle.
    """

    __slots__ = ("_agenda", "callback", "time")

    def __init__(self, agenda: "Agenda", callback: Callable[[int], None]) -> None:
        self._agenda = agenda
        self.callback = callback
        self.time = NEVER

    def at(self, time: int) -> None:
        """Ask to be called in a cycle that has not passed."""
        if time < self.time:
            self._agenda.put(time, self)


class Agenda:
    """Alarms in order of time; what they lead to lies in later cycles only."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Alarm]] = []
        self._count = 0
        self.now = -1

    def put(self, time: int, alarm: Alarm) -> None:
        """Set an alarm to a time."""
        if time < self.now:
            raise AssertionError(f"cycle {time} has passed, it is {self.now}")
        alarm.time = time
        self._count += 1
        heapq.heappush(self._heap, (time, self._count, alarm))

    def run(self, until: Callable[[], int]) -> None:
        """Let alarms ring until none is left, or the next is not before ``until()``."""
        heap = self._heap
        while heap:
            time, _, alarm = heapq.heappop(heap)
            if alarm.time != time:
                continue
            if time >= until():
                return
            alarm.time, self.now = NEVER, time
            alarm.callback(time)
