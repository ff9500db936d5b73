"""What goes to a board besides its hardware: a program, and samples whose results are known."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..isa.program import Program
from ..quant import golden
from .networks import program_graph
from .simulate import array_file

__all__ = ["deployed"]


def deployed(program: Program, codes: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Return a program's file and one of samples, by name.

    Parameters
    ----------
    program : Program
        What the board runs.
    codes : mapping
        For each input codes ``(samples, channels, height, width)``.

    Returns
    -------
    dict
        ``model.program``, and ``samples.npz`` with arrays ``input.NAME`` and ``output.NAME``: the
        codes that were given, and those that the golden network makes of them.
    """
    expected = golden.run(program_graph(program), dict(codes))
    arrays = {f"input.{name}": codes[name] for name in program.inputs}
    arrays |= {f"output.{name}": expected[name] for name in program.outputs}
    return {"model.program": program.to_bytes(), "samples.npz": array_file(arrays)}
