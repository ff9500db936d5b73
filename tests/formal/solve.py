"""Questions about runs of a model, put to Z3."""

import re

from .model import Model

__all__ = ["UndecidedError", "solve", "values"]

#: Limit of one question, in seconds.
TIMEOUT = 600

#: What is declared here, as opposed to what is defined.
_CONSTANT = re.compile(r"[sv]\d+_\d+")


class UndecidedError(AssertionError):
    """The solver gave up, or what was asked is void."""


def solve(
    model: Model, steps: int, extra: list[str], goals: tuple[str, ...] = ("true",), *, initial: bool
) -> list[int] | None:
    """Return the states of a run in which assumptions and more formulas hold, or None.

    Parameters
    ----------
    model : Model
        Its states are ``s0``, ``s1`` … in the formulas.
    steps : int
        Length of the run.
    extra : list of str
        Formulas that hold.
    goals : tuple of str
        Formulas of which one is to hold. They are tried one by one: each needs only a part of the
        design, and finding out about that part is much easier.
    initial : bool
        Whether it begins after reset or anywhere.

    Raises
    ------
    UndecidedError
        The solver gave up.
    """
    lines = [model.text]
    for step in range(steps):
        lines += _step(model, step)
    lines += [f"(assert {formula})" for formula in [*(["(|top_i| s0)"] if initial else []), *extra]]
    found = _constants(lines, goals)
    return None if found is None else [_state(model, found, step) for step in range(steps)]


def values(model: Model, states: list[int], functions: dict[str, int]) -> dict[str, list[int]]:
    """Return what functions of the state, of the widths given, are in each of some states."""
    lines, bits = [model.text], sum(model.slots)
    for step, state in enumerate(states):
        for number, (function, width) in enumerate(functions.items()):
            sort = f"(_ BitVec {width})" if width > 1 else "Bool"
            applied = f"({function} #b{state:0{bits}b})"
            lines.append(f"(declare-const v{step}_{number} {sort})")
            lines.append(f"(assert (= v{step}_{number} {applied}))")
    found, steps = _constants(lines), range(len(states))
    return {
        function: [found[f"v{step}_{number}"] for step in steps]
        for number, function in enumerate(functions)
    }


def _constants(lines: list[str], goals: tuple[str, ...] = ("true",)) -> dict[str, int] | None:
    """Return constants' values that satisfy all of a text's assertions and one goal, or None."""
    import z3  # noqa: PLC0415

    text = "\n".join([*lines, *(f"(assert {goal})" for goal in goals)])
    formulas = z3.parse_smt2_string(text)
    given, asked = formulas[: -len(goals)], formulas[-len(goals) :]
    for number, goal in enumerate(asked):
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", 1000 * TIMEOUT)
        solver.add(*given, goal)
        answer = solver.check()
        if answer == z3.unknown:
            why = solver.reason_unknown()
            raise UndecidedError(f"the solver gave up: {why}; goal: {goals[number]}")
        if answer == z3.sat:
            return _numbers(solver.model())
    return None


def _numbers(found) -> dict[str, int]:
    """Return the values of the constants that are declared here."""
    import z3  # noqa: PLC0415

    return {
        name.name(): int(
            z3.is_true(found[name]) if z3.is_bool(found[name]) else found[name].as_long()
        )
        for name in found
        if _CONSTANT.fullmatch(name.name())
    }


def _state(model: Model, found: dict[str, int], step: int) -> int:
    """Put the pieces of a state together; those that do not matter are 0."""
    low, state = 0, 0
    for slot, width in enumerate(model.slots):
        state |= found.get(f"s{step}_{slot}", 0) << low
        low += width
    return state


def _step(model: Model, step: int) -> list[str]:
    """Return a state, of pieces so that the solver can put one in another's place."""
    names = [f"s{step}_{slot}" for slot in range(len(model.slots))]
    lines = [
        f"(declare-const {name} (_ BitVec {width}))"
        for name, width in zip(names, model.slots, strict=True)
    ]
    whole = f"(concat {' '.join(reversed(names))})" if len(names) > 1 else names[0]
    lines += [f"(define-fun s{step} () |top_s| {whole})", f"(assert (|top_u| s{step}))"]
    if "rst" in model.signals:
        lines.append(f"(assert (not (|top_n rst| s{step})))")
    if step:
        lines.append(f"(assert (|top_t| s{step - 1} s{step}))")
    return lines
