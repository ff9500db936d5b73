"""How long work tells how far it is."""

from collections.abc import Callable

__all__ = ["Progress", "silent"]

#: Called with what is being done, and steps done of all steps; zero of zero if unknown.
Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Report to nobody."""
