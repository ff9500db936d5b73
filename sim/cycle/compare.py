"""Two runs' times side by side: the first instruction that starts or completes differently."""

from ...isa.config import INSTRUCTION_BYTES
from ...isa.instructions import ENGINES, Engine, Opcode
from ...isa.program import Program, Segment
from ..listing import describe_instruction
from ..result import Run

__all__ = ["first_time_difference"]


def first_time_difference(
    program: Program, segment: Segment, expected: Run, found: Run
) -> str | None:
    """Return a sentence that names the earliest event whose cycle differs, or None.

    Parameters
    ----------
    program, segment : Program, Segment
        What ran.
    expected, found : Run
        With stamps.
    """
    differences = []
    for what in ("starts", "dones"):
        for engine in ENGINES:
            right, wrong = _stamps(expected, what, engine), _stamps(found, what, engine)
            for number in range(max(len(right), len(wrong))):
                pair = _at(right, number), _at(wrong, number)
                if pair[0] != pair[1]:
                    known = [time for time in pair if time is not None]
                    differences.append((min(known), what, engine, number, pair))
                    break
    if differences:
        _, what, engine, number, pair = min(differences, key=lambda found: found[0])
        where = describe_instruction(program, _index(program, segment, engine, number))
        verb = "starts" if what == "starts" else "completes"
        return f"{where}, {engine.name} work {number}, {verb} at {pair[1]} instead of {pair[0]}"
    if expected.cycles != found.cycles:
        return f"all work agrees, but the run takes {found.cycles} instead of {expected.cycles}"
    return None


def _stamps(run: Run, what: str, engine: Engine) -> list[int]:
    stamps = run.starts if what == "starts" else run.dones
    return [] if stamps is None else stamps[engine].tolist()


def _at(stamps: list[int], number: int) -> int | None:
    return stamps[number] if number < len(stamps) else None


def _index(program: Program, segment: Segment, engine: Engine, number: int) -> int:
    """Return the index of an engine's piece of work by its number."""
    first, size = segment.first, INSTRUCTION_BYTES
    opcodes = program.code[first * size : (first + segment.count) * size : size]
    places = [n for n, code in enumerate(opcodes) if code == Opcode[engine.name]]
    return first + (places[number] if number < len(places) else segment.count)
