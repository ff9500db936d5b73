"""Vector: when VECTOR jobs take pixels and words, and when they write."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...isa.config import Config
from ...isa.timing import (
    WRITE_TO_DONE,
    pixel_done,
    threshold_cycles,
    vector_start,
    word_done,
)
from .activation_buffer import ActivationBuffer
from .agenda import NEVER, Agenda, Alarm
from .listing import Fields
from .vector_issue import VectorIssue

__all__ = ["Vector"]

#: The feeder's reads are known up to so many cycles ahead: a job that starts now reads later.
_AHEAD = 2

#: The end of a job is looked for so many cycles after it may have come; done comes later still.
_PATIENCE = 4


class _Writes:
    """What one job writes, as far as it has come."""

    __slots__ = ("_delay", "_done", "_first", "_issue", "_steps", "last", "times")

    def __init__(self, issue: VectorIssue, first: int, delay: int, last: int) -> None:
        self._issue, self._first, self._delay = issue, first, delay
        self.last = last
        self.times: list[int] | None = [] if last == NEVER else None
        self._steps: NDArray[np.int64] | None = None
        self._done = 0

    def begin(self) -> int:
        """Return the first cycle of what is not written down yet."""
        if self._steps is None:
            return self._first + self._delay
        if self._done == len(self._steps):
            return NEVER
        step = int(self._steps[self._done])
        if self.times is None:
            return self._first + step + self._delay
        return self.times[step] + self._delay if step < len(self.times) else NEVER - 1

    def end(self) -> int:
        """Return a cycle after which nothing follows."""
        return self.last + self._delay if self.last < NEVER else NEVER - 1

    def cycles(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return cycles and banks taken of what was not written down yet."""
        if self._steps is None:
            self._steps = self._issue.emitting_steps()
        steps, done = self._steps[self._done :], self._done
        if self.times is None:
            issued = self._first + steps
        else:
            steps = steps[: np.searchsorted(steps, len(self.times))]
            issued = np.array(self.times, np.int64)[steps]
        self._done += len(steps)
        return issued + self._delay, self._issue.write_banks()[done : self._done]


class Vector:
    """Carry out VECTOR jobs one after the other; reads wait while the feeder has their bank.

    Parameters
    ----------
    config : Config
        The accelerator.
    buffer : ActivationBuffer
        Banks.
    agenda : Agenda
        Time.
    completed : callable
        Called with the cycle of each completion, before it has come.

    Attributes
    ----------
    free : int
        From which cycle on the next job is accepted; ``NEVER`` while that is not known.
    active : int
        Pixels and input words so far.
    stalls : list of int
        Cycles in which each job found its bank taken.
    writes_ahead : int
        Its writes are known so many cycles after the cycle it has been advanced to.
    """

    def __init__(
        self,
        config: Config,
        buffer: ActivationBuffer,
        agenda: Agenda,
        completed: Callable[[int], None],
    ) -> None:
        self._config, self._buffer, self._completed = config, buffer, completed
        self._alarm = Alarm(agenda, self._look)
        self.free = self.active = 0
        self.stalls: list[int] = []
        self.writes_ahead = pixel_done(config) - WRITE_TO_DONE
        self._banks, self._step, self._time, self._delay = b"", 0, 0, 0
        self._first = 0
        self._writes: _Writes | None = None

    @property
    def position(self) -> int:
        """First cycle whose banks it may still ask for; ``NEVER`` without a job that reads."""
        return NEVER if self._writes is None else self._time

    def start(self, time: int, loops: Fields, requantize: Fields, work: Fields) -> None:
        """Take a job in a cycle."""
        issue = VectorIssue(self._config, loops, requantize, work)
        first = time + vector_start(self._config) + threshold_cycles(requantize["threshold_bits"])
        self.active += issue.taken
        self._delay = (word_done if issue.from_words else pixel_done)(self._config)
        last = NEVER if issue.reads else first + issue.count - 1
        writes = _Writes(issue, first, self._delay - WRITE_TO_DONE, last)
        self._buffer.writes.expect(writes)
        if not issue.reads:
            self.stalls.append(0)
            self._end(last)
            return
        self._writes, self._banks = writes, issue.banks()
        self._step, self._time, self._first, self.free = 0, first, first, NEVER
        self._alarm.at(first + issue.count - 1 + _PATIENCE)

    def advance(self, upto: int) -> None:
        """Go on up to a cycle, of which the feeder's reads are known."""
        if self._writes is None or self._time > upto:
            return
        taken, banks = self._buffer.reads.upto(upto), self._banks
        times, step, time, count = self._writes.times, self._step, self._time, len(banks)
        assert times is not None
        while time <= upto and step < count:
            bank = banks[step]
            if not bank & taken[time]:
                taken[time] |= bank
                times.append(time)
                step += 1
            time += 1
        self._step, self._time = step, time
        if step == count:
            self.stalls.append(times[-1] + 1 - self._first - count)
            self._writes.last, self._writes = times[-1], None
            self._end(times[-1])

    def _end(self, last: int) -> None:
        self.free = last + self._delay
        self._completed(self.free)

    def _look(self, now: int) -> None:
        """See whether the job has ended, and otherwise come again when it may have."""
        self.advance(now + _AHEAD)
        if self._writes is not None:
            left = len(self._banks) - self._step
            self._alarm.at(max(now + 1, self._time + left - 1 + _PATIENCE))
