"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from .console import Shown

__all__ = ["DEFAULT", "NO", "YES", "Bits", "Count", "Flag", "Input", "MaybeOutput", "Output"]

Output = Annotated[Path, Parameter(name=("--output", "-o"))]
MaybeOutput = Annotated[Path | None, Parameter(name=("--output", "-o"))]
Bits = Annotated[int, Parameter(validator=Number(gte=2, lte=8))]
Count = Annotated[int | None, Parameter(validator=Number(gte=1))]
Flag = Annotated[bool, Parameter(negative=())]

#: Either name may be used: people write both.
Input = Parameter(name=("--inputs", "--input", "-i"))

#: Exit statuses of verbs that answer a question; errors exit with 2.
YES, NO = 0, 1

#: How results are shown if no option says otherwise.
DEFAULT = Shown()
