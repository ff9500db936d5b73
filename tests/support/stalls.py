"""When a side of a stream holds back: iterators of one flag each cycle."""

import itertools
import random

__all__ = ["never", "sometimes"]


def never():
    """Stall pattern of a side that is always willing."""
    return itertools.repeat(False)


def sometimes(probability, seed):
    """Stall pattern that is reproducible from its seed."""
    rng = random.Random(seed)
    return (rng.random() < probability for _ in itertools.count())
