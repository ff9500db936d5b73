"""Options that several commands share."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from .console import Shown

if TYPE_CHECKING:  # numpy would make --help wait
    from ..sim.cycle.memory import Memory

__all__ = [
    "ANY_MEMORY",
    "DEFAULT",
    "NO",
    "YES",
    "Bits",
    "Count",
    "Flag",
    "Input",
    "MaybeOutput",
    "MemoryOptions",
    "Output",
]

Output = Annotated[Path, Parameter(name=("--output", "-o"))]
MaybeOutput = Annotated[Path | None, Parameter(name=("--output", "-o"))]
Bits = Annotated[int, Parameter(validator=Number(gte=2, lte=8))]
Count = Annotated[int | None, Parameter(validator=Number(gte=1))]
Flag = Annotated[bool, Parameter(negative=())]

#: Either name may be used: people write both.
Input = Parameter(name=("--inputs", "--input", "-i"))

#: Exit statuses of verbs that answer a question; errors exit with 2.
YES, NO = 0, 1


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MemoryOptions:
    """External memory, as commands that know time are told of it."""

    latency: Count = None
    "Cycles from a complete request to the first beat of its answer; 32 if not given."
    interval: Count = None
    "Cycles from one beat to the next; 1 if not given."
    outstanding: Count = None
    "Read requests that memory takes before it has answered the first; 16 if not given."

    def chosen(self) -> "Memory | None":
        """Return the memory, or None if nothing was said about it."""
        from ..sim.cycle.memory import Memory

        given = {name: value for name, value in asdict(self).items() if value is not None}
        return Memory(**given) if given else None


#: What is known of memory if no option says anything.
ANY_MEMORY = MemoryOptions()

#: How results are shown if no option says otherwise.
DEFAULT = Shown()
