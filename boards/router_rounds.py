"""Rounds of nextpnr's second router, and when there is no use in more of them."""

import re
from collections.abc import Callable

from .tools import ToolError

__all__ = ["PATIENCE", "RouterRounds"]

#: Rounds after which a router that has not come nearer to its end is not waited for any longer.
#: Those of our boards that came to an end took 74 at most.
PATIENCE = 200


class RouterRounds:
    """Follow what the router prints.

    Parameters
    ----------
    tell : callable
        Called with what to show of a round.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._least: int | None = None
        self._since = 0

    def watch(self, line: str) -> None:
        """Take a line that nextpnr printed.

        Raises
        ------
        ToolError
            The router stands still: for :data:`PATIENCE` rounds it has not had fewer conflicts,
            wires that two nets want.
        """
        found = re.search(r"\biter=(\d+) .*\boverused=(\d+)", line)
        if not found:
            return
        number, conflicts = map(int, found.groups())
        if self._least is None or conflicts < self._least:
            self._least, self._since = conflicts, number
        if number - self._since >= PATIENCE:
            raise ToolError(
                f"the router stands still: at least {self._least} wires are wanted by two nets "
                f"since round {self._since}, and this is round {number}; another --seed places "
                "cells elsewhere"
            )
        self._tell(f"routing: round {number}, {conflicts:,} conflicts")
