"""Goals, and whether a measurement meets them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from shiftloom.flow.tables import plain_table

__all__ = ["Goal", "all_met", "goals_data", "goals_table"]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on one figure.

    Parameters
    ----------
    what : str
        What is measured.
    limit : float
        The bound; reaching it is meeting it.
    least : bool
        The figure must be at least the bound; otherwise at most.
    unit : str
        Behind the figure; ``%`` for shares of one.
    measured : float or None
        The figure; None if it could not be measured.
    """

    what: str
    limit: float
    least: bool
    unit: str = ""
    measured: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps the bound; None if there is no figure."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.least else self.measured <= self.limit

    def shown(self, value: float | None) -> str:
        """Return a figure with its unit."""
        if value is None:
            return "—"
        if self.unit == "%":
            return f"{value:.1%}"
        number = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
        return f"{number} {self.unit}".rstrip()


#: Words for what became of a goal, and their colours.
_WORDS = {True: ("met", "green"), False: ("MISSED", "bold red"), None: ("not measured", "yellow")}


def goals_table(goals: Sequence[Goal]) -> Table:
    """Return goals beside what was measured."""
    columns = ("goal", "bound", "measured", "")
    table = plain_table(*columns, right=columns[1:3], title="\nGoals")
    for goal in goals:
        bound = f"{'≥' if goal.least else '≤'} {goal.shown(goal.limit)}"
        table.add_row(goal.what, bound, goal.shown(goal.measured), Text(*_WORDS[goal.met]))
    return table


def goals_data(goals: Sequence[Goal]) -> list[dict[str, Any]]:
    """Return goals for JSON."""
    return [asdict(goal) | {"met": goal.met} for goal in goals]


def all_met(goals: Sequence[Goal]) -> bool:
    """Return whether no goal is missed; those that were not measured are not."""
    return all(goal.met is not False for goal in goals)
