"""Transfer: the external side of LOAD and STORE jobs, and the order of their words."""

from dataclasses import dataclass

from ...isa.config import Config
from ...isa.timing import PLACE, REGISTER, RUNS_FREE, transfer_rest
from .agenda import NEVER
from .listing import Fields
from .stream_queue import StreamQueue

__all__ = ["Areas", "Bursts", "Transfer"]


@dataclass(slots=True)
class Transfer:
    """One job of LOAD or STORE.

    Parameters
    ----------
    fields : mapping
        Of the instruction.
    words, runs : int
        Of the job; no words at all if either is 0.
    beats : int
        Of a run.
    """

    fields: Fields
    words: int
    runs: int
    beats: int

    @classmethod
    def of(cls, fields: Fields, config: Config) -> "Transfer":
        """Return the job that an instruction describes."""
        words, runs = fields["words"], fields["runs"]
        if not words or not runs:
            return cls(fields, 0, 1, 0)
        return cls(fields, words, runs, -(-words * config.word_bytes // config.bus_bytes))


class Bursts:
    """Walk a job's runs, one each cycle, and cut them into bursts, one each cycle.

    Regions begin at multiples of the longest burst.

    Parameters
    ----------
    config : Config
        Bus width and burst length.

    Attributes
    ----------
    time : int
        From which cycle on a burst is offered; ``NEVER`` if none is.
    beats : int
        Its beats; 0 stands for a job that moves nothing.
    last : bool
        It is its job's last.
    free : int
        From which cycle on the next job is accepted; ``NEVER`` while that is not known.
    """

    def __init__(self, config: Config) -> None:
        self._bus, self._longest = config.bus_bytes, config.burst_beats
        self._rest = transfer_rest(config)
        self._job: Transfer | None = None
        self._run = self._runs_left = self._run_time = self._position = self._left = 0
        self._splitter_free, self._last_run = -1, False
        self.time, self.free = NEVER, 0
        self.beats, self.last = 0, False

    def accept(self, job: Transfer, time: int) -> None:
        """Take a job in a cycle."""
        self._job, self._run, self._runs_left = job, job.fields["offset"], job.runs
        self._run_time, self.free = time + REGISTER, NEVER
        if self.time == NEVER:
            self._enter()

    def take(self, time: int) -> None:
        """Let the burst that is offered go in a cycle."""
        self._left -= self.beats
        if self._left > 0:
            self._position, self.time = 0, time + REGISTER
            self._cut()
            return
        self._splitter_free, self.time = time + self._rest, NEVER
        if self._job is not None:
            self._enter()

    def _enter(self) -> None:
        """Move the next run into the splitter, which is free."""
        job = self._job
        assert job is not None
        time = max(self._run_time, self._splitter_free)
        self._position = self._run // self._bus % self._longest
        self._left, self.time = job.beats, time + REGISTER
        self._runs_left -= 1
        self._run += job.fields["memory_pitch"]
        self._run_time = time + REGISTER
        self._last_run = not self._runs_left
        if self._last_run:
            self._job, self.free = None, time + RUNS_FREE
        self._cut()

    def _cut(self) -> None:
        room = self._longest - self._position
        final = self._left <= room
        self.beats = self._left if final else room
        self.last = final and self._last_run


class Areas:
    """Hand jobs to the side that moves words, one after the other.

    Parameters
    ----------
    config : Config
        The accelerator.
    depth : int
        Jobs that wait.
    """

    def __init__(self, config: Config, depth: int) -> None:
        self.queue, self._rest = StreamQueue(depth), transfer_rest(config)
        self._jobs: list[Transfer] = []
        self._ended = -1

    def accept(self, job: Transfer, time: int) -> None:
        """Take a job in a cycle."""
        self.queue.writes.append(time)
        self._jobs.append(job)

    def follow(self) -> tuple[Transfer, int] | None:
        """Return the next job, and the cycle of its first place; the one before has ended."""
        index = len(self.queue.pops)
        if index == len(self._jobs):
            return None
        time = max(self.queue.offered(index), self._ended)
        self.queue.pops.append(time)
        return self._jobs[index], time + PLACE

    def end(self, time: int) -> None:
        """Note in which cycle the last word of the present job moves."""
        self._ended = time + self._rest
