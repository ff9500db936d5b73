"""Bipolar codes are found where thresholds make nothing else."""

import numpy as np
import pytest

from shiftloom.isa.thresholds import Thresholds
from shiftloom.quant.bipolar import mark_bipolar
from shiftloom.quant.graph import TensorType

from .builders import conv_graph


def marked(values, low, signed=True):
    bank = Thresholds(values=np.array(values, np.int32), low=low)
    source = TensorType(shape=(1, 1, 1))
    weight = np.ones((len(values), 1, 1, 1), np.int8)
    graph = conv_graph(weight, source, (len(values), 1, 1), thresholds=bank, signed=signed)
    return mark_bipolar(graph).tensors["y"].bipolar


@pytest.mark.parametrize(
    ("values", "low", "found"),
    [
        ([[5, 5]], -1, (1,)),
        ([[5, 5], [6, 6]], -1, (1,)),
        ([[5, 5], [5, 6]], -1, ()),  # makes 0 in its second channel
        ([[5]], 0, ()),
        ([[5, 5, 5, 5]], -2, (2,)),
        ([[1, 1, 2, 2, 3, 3]], -3, (2, 1)),
        ([[1, 1, 1, 1, 2, 2, 3, 3, 3, 3]], -5, (3, 2)),
        ([[1, 1, 2, 3, 3]], -2, ()),
        ([[1, 1, 1, 2, 2, 3, 3, 3]], -4, ()),  # 4 and 1 are no sum and difference of integers
    ],
)
def test_levels_that_are_signed_sums(values, low, found):
    assert marked(values, low) == found


def test_unsigned_tensors_are_left_alone():
    assert marked([[5, 5]], 0, signed=False) == ()
