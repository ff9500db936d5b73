"""Addresses in the activation buffer, from the first and last use of every area."""

from collections.abc import Sequence

from .items import Area

__all__ = ["allocate"]


def allocate(areas: Sequence[Area], capacity: int) -> Area | None:
    """Give areas addresses so that none overlap while both are in use.

    Returns
    -------
    Area or None
        An area that found no room, or None when all have their address.
    """
    by_time = sorted(areas, key=lambda area: (area.begin, -area.words, area.name))
    failed = _place(by_time, capacity)
    if failed is None:
        return None
    by_size = sorted(areas, key=lambda area: (-area.words, area.begin, area.name))
    return None if _place(by_size, capacity) is None else failed


def _place(order: Sequence[Area], capacity: int) -> Area | None:
    """Give each area in turn the lowest address that is free while it is in use."""
    placed: list[Area] = []
    for area in order:
        others = [o for o in placed if o.begin <= area.end and area.begin <= o.end]
        start = 0
        for other in sorted(others, key=lambda o: o.addr):
            if other.addr - start >= area.words:
                break
            start = max(start, other.addr + other.words)
        if start + area.words > capacity:
            return area
        area.addr = start
        placed.append(area)
    return None
