"""Which layer each cycle of a run belongs to, as spans."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..isa.instructions import Engine
from ..isa.program import Program, Segment
from .result import Run
from .timeline import Track, tracks_of

__all__ = ["Owners", "owners_of"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Owners:
    """Spans of cycles, one after the other from the first cycle to the last.

    Parameters
    ----------
    edges : int64 array
        ``(n + 1,)``: where spans begin, and the end of the last.
    layers : int64 array
        ``(n,)``: index in the program's layer table; its length for what is after the last layer.
    """

    edges: Ints
    layers: Ints


def owners_of(program: Program, segment: Segment, run: Run) -> Owners:
    """Return which layer each cycle of a run belongs to.

    A cycle belongs to the layer that the array works on; while it does not, to the layer that the
    vector unit works on; while neither works, to the layer that is next to work.

    Raises
    ------
    ValueError
        The run does not know time.
    """
    tracks, end = tracks_of(program, segment, run), run.cycles or 0
    own = [_known(tracks[engine]) for engine in (Engine.MAC, Engine.VECTOR) if engine in tracks]
    edges = np.unique(np.concatenate([[0, end], *[part for work in own for part in work[:2]]]))
    begins = edges[:-1]
    layers = np.full(len(begins), -1)
    for front, done, layer in own:  # what the array does covers the rest
        layers = np.where(layers < 0, _at(begins, front, done, layer), layers)
    return Owners(edges=edges, layers=_filled(layers, len(program.layers)))


def _known(track: Track) -> tuple[Ints, Ints, Ints]:
    """Return begin, end and layer of work that takes time and belongs to a layer."""
    known = (track.layer >= 0) & (track.front < track.done)
    return track.front[known], track.done[known], track.layer[known]


def _at(times: Ints, front: Ints, done: Ints, layer: Ints) -> Ints:
    """Return the layer of the work that is in front at certain times, or -1."""
    if not len(front):
        return np.full(len(times), -1)
    last = np.searchsorted(front, times, side="right") - 1
    inside = (last >= 0) & (times < done[last])
    return np.where(inside, layer[last], -1)


def _filled(layers: Ints, rest: int) -> Ints:
    """Give each span without owner to the next owner; those behind the last to ``rest``."""
    places = np.where(layers < 0, len(layers), np.arange(len(layers)))
    following = np.minimum.accumulate(places[::-1])[::-1]
    return np.append(layers, rest)[following]
