"""When things happen: each constant of the machine's timing, declared once, with its meaning.

All are cycles or counts; those that ``pipeline`` of a configuration changes are functions of it.
A stream transfers a payload in one cycle; "from A to B" is the number of
cycles that B comes after A at the earliest. The cycle model is made of nothing else; hardware has
its own structure, and tests compare the two.
"""

from .config import INSTRUCTION_BYTES, Config
from .instructions import Engine

__all__ = [
    "FEEDER_READ",
    "FETCH_AHEAD",
    "FETCH_BURST",
    "FETCH_START",
    "LOAD_JOBS_AHEAD",
    "MAC_OFFER",
    "MAC_PENDING",
    "OUTSTANDING",
    "PLACE",
    "QUEUE_DEPTH",
    "QUEUE_READ",
    "REGISTER",
    "RUNS_FREE",
    "RUN_END",
    "SERIAL_ANSWERED",
    "SERIAL_BURST",
    "SERIAL_COMPARED",
    "SERIAL_DECODE",
    "SERIAL_FETCH",
    "SERIAL_FIRST",
    "SERIAL_KERNEL",
    "SERIAL_MAC_DONE",
    "SERIAL_NEXT",
    "SERIAL_RESULT",
    "SERIAL_RUN_END",
    "SERIAL_SKIP",
    "SERIAL_SUM",
    "SERIAL_TILE",
    "SERIAL_WRITE",
    "STORE_JOBS_AHEAD",
    "STORE_PENDING",
    "STORE_WORDS_AHEAD",
    "WRITE_TO_DONE",
    "accumulator_distance",
    "decode_rest",
    "feeder",
    "fetch_burst_beats",
    "fetch_queue_beats",
    "fetch_register",
    "load_banks",
    "mac_done",
    "operand_check",
    "pixel_done",
    "queue_check",
    "serial_start",
    "serial_vector_start",
    "store_arrival",
    "threshold_cycles",
    "token",
    "transfer_rest",
    "vector_start",
    "word_done",
]

# --- Between blocks ---------------------------------------------------------------------------

#: From a transfer into a register stage (skid, splitter, widener, decode, nest) to its output.
REGISTER = 1

#: From the transfer into a queue to the cycle in which its output stage may take the payload; one
#: more until the payload is offered. The output stage counts in the queue's depth.
QUEUE_READ = 1

#: From the last completion, or the cycle END is decoded in, to the first cycle not counted.
RUN_END = 2

#: Instructions that wait in front of one engine.
QUEUE_DEPTH = 16

# --- Fetch and the bus ------------------------------------------------------------------------

#: First cycle in which the program's first burst is offered to the bus arbiter.
FETCH_START = 1

#: Instructions that fetch keeps or has asked for; and those of one burst.
FETCH_AHEAD = 16
FETCH_BURST = 4

#: Bursts in flight, of reads and of writes.
OUTSTANDING = 16

# --- LOAD and STORE ---------------------------------------------------------------------------

#: Jobs whose words have not begun to move, beside the one whose words do.
LOAD_JOBS_AHEAD = 8
STORE_JOBS_AHEAD = 3

#: From the transfer of a job's last run to the next job.
RUNS_FREE = 1

#: From the transfer of a job, or of the word before, to a word's place.
PLACE = 1

#: Words that STORE has read and not yet turned into beats.
STORE_WORDS_AHEAD = 8

#: Bursts of STORE whose answers are awaited, those of empty jobs included.
STORE_PENDING = 32

# --- MAC --------------------------------------------------------------------------------------

#: From the transfer of a job to its offer to feeder and weight loader.
MAC_OFFER = 1

#: From the beginning of a tile's weight load, or the swap before it, to what follows: the swap of
#: this tile; the beginning of the next load.
MAC_PENDING = 1

#: From the issue of an operand to the read of its words.
FEEDER_READ = 1

# --- VECTOR -----------------------------------------------------------------------------------

#: From the write of a result to what would be its completion.
WRITE_TO_DONE = 1

# --- The serial machine -----------------------------------------------------------------------

#: First cycle in which an instruction is asked for; the request comes one later.
SERIAL_FETCH = 2

#: From the last word of an instruction to the cycle it is decoded in; from there, or from the end
#: of work, to the cycle in which the next one is asked for; and from END to the first cycle that
#: does not count.
SERIAL_DECODE = 1
SERIAL_NEXT = 2
SERIAL_RUN_END = 2

#: From a burst's end to the request of the next burst, or to the next run or the end of the work.
SERIAL_BURST = 2

#: From a burst's last word to its answer, at least.
SERIAL_ANSWERED = 1

#: A LOAD of weights tells the MAC that it waits for from others by their numbers modulo this.
SERIAL_COMPARED = 256

#: From the start of MAC to its first operand.
SERIAL_FIRST = 2

#: Cycles in which a tile of MAC reads its weights, which it takes at least; and from the last
#: operand to the completion.
SERIAL_TILE = 2
SERIAL_MAC_DONE = 7

#: Cycles of a column without a result, of a sum's lane, and of a kernel's lane beside its steps.
SERIAL_SKIP = 2
SERIAL_SUM = 2
SERIAL_KERNEL = 6

#: From a result's last lane to its write, which the next column waits for if words are read; the
#: work is complete with it.
SERIAL_WRITE = 7
SERIAL_RESULT = 7


# --- Longer with ``pipeline`` ----------------------------------------------------------------


def token(config: Config) -> int:
    """Return the cycles from completed work to the start of what waited for it, at least."""
    return 1 + config.pipeline


def queue_check(config: Config) -> int:
    """Return the cycles from work being offered by its queue to its start, at least.

    And from its engine being free.
    """
    return config.pipeline


def decode_rest(config: Config) -> int:
    """Return the cycles from an instruction's leaving to another's entry into decoding.

    And from its entry to the first part of the next one, where it comes in parts.
    """
    return config.pipeline


def fetch_register(config: Config) -> int:
    """Return the cycles from the head of fetch's queue of beats to what makes instructions."""
    return config.pipeline


def transfer_rest(config: Config) -> int:
    """Return the cycles between the last burst of a run, or word of a job, and the next to enter.

    That is what cuts runs into bursts, or walks the words of a job.
    """
    return config.pipeline


def load_banks(config: Config) -> int:
    """Return 1 if LOAD waits for the vector unit's writes to its bank only; 0: to any bank."""
    return 1 - config.pipeline


def store_arrival(config: Config) -> int:
    """Return the cycles from the address of a word that STORE reads to its entry into a queue."""
    return 1 + 2 * config.pipeline


def operand_check(config: Config) -> int:
    """Return the cycles for which an operand's loops are ahead of its issue.

    And from a job's last operand, as the loops give it, to the next job's entry into the loops.
    """
    return config.pipeline


def feeder(config: Config) -> int:
    """Return the cycles from the issue of an operand to its entry into the array."""
    return 4 + 2 * config.pipeline


def accumulator_distance(config: Config) -> int:
    """Return the least distance of operations on one accumulator; a later one may overwrite."""
    return 4 + config.pipeline


def mac_done(config: Config) -> int:
    """Return the cycles from the issue of a job's last operand to its completion."""
    return feeder(config) + config.rows + config.columns + 2 + config.pipeline


def vector_start(config: Config) -> int:
    """Return the cycles from a job of the vector unit to its first step, without thresholds."""
    return 2 + 2 * config.pipeline


def pixel_done(config: Config) -> int:
    """Return the cycles from the last pixel of a job of the vector unit to its completion.

    The next job may enter then.
    """
    return 11 + 7 * config.pipeline


def word_done(config: Config) -> int:
    """Return the same from the last word of a job."""
    return 15 + 7 * config.pipeline


def threshold_cycles(bits: int) -> int:
    """Return the cycles by which a job of the vector unit starts later to fetch its thresholds.

    Parameters
    ----------
    bits : int
        ``threshold_bits`` of VECTOR_REQUANTIZE: 0, or 1…4 for ``2**(bits - 1)`` words, of which
        one is fetched while the job starts.
    """
    return (1 << bits >> 1) - 1 if bits else 0


def fetch_burst_beats(config: Config) -> int:
    """Return the beats of a burst of instructions."""
    return max(1, min(config.burst_beats, FETCH_BURST * INSTRUCTION_BYTES // config.bus_bytes))


def fetch_queue_beats(config: Config) -> int:
    """Return the beats of instructions that are kept or on their way."""
    return max(FETCH_AHEAD * INSTRUCTION_BYTES // config.bus_bytes, 3)


def serial_start(engine: Engine, config: Config) -> int:
    """Return the cycles from decoding to the start: settings are read, words as wide as the bus."""
    settings = {Engine.MAC: 1, Engine.VECTOR: 2}.get(engine, 0)
    return settings * INSTRUCTION_BYTES // config.bus_bytes + 2


def serial_vector_start(config: Config) -> int:
    """Return the cycles from the start to the first pixel or word, with a lane for each channel.

    Parameters are read before, one lane each cycle; the last two come while the job starts.
    """
    return vector_start(config) + config.columns - 2
