"""Rounds of nextpnr's second router, and when there is no use in more of them.

A round routes anew what two nets want, and with ``--tmg-ripup`` also nets on paths that are too
long for the clock; the router comes to its end when neither is left.
"""

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
        self._least: tuple[int, int] | None = None
        self._since = 0

    def watch(self, line: str) -> None:
        """Take a line that nextpnr printed.

        Raises
        ------
        ToolError
            The router stands still: for :data:`PATIENCE` rounds it has not had fewer conflicts,
            wires that two nets want, and late wires.
        """
        found = re.search(r"\biter=(\d+) .*?\boverused=(\d+)(?:.*\btmgfail=(\d+))?", line)
        if not found:
            return
        number, conflicts, late = (int(text or 0) for text in found.groups())
        if self._least is None or conflicts + late < sum(self._least):
            self._least, self._since = (conflicts, late), number
        if number - self._since >= PATIENCE:
            raise ToolError(
                f"the router stands still: {self._least[0]} wires wanted by two nets and "
                f"{self._least[1]} too late for the clock were the fewest, in round "
                f"{self._since}, and this is round {number}; another --seed places cells "
                "elsewhere, and a lower --clock leaves wires more time"
            )
        waits = f", {late:,} late" if late else ""
        self._tell(f"routing: round {number}, {conflicts:,} conflicts{waits}")
