"""The model of LUTs: what it is fitted to, and how far off it says it is."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from shiftloom.flow.luts import features, fit, lut_model
from shiftloom.isa.config import Config, load_config

TINY = load_config("tiny")
TABLE = Path(__file__).parents[2] / "flow" / "luts.json"


def numbers(config):
    return {f.name: getattr(config, f.name) for f in fields(config) if f.name != "name"}


def points(luts_of):
    """Return syntheses that take as many LUTs as a function says."""
    found = []
    for rows, columns in ((2, 2), (2, 4), (4, 4), (3, 6), (4, 8)):
        for taps, bus, banks in ((1, 4, 2), (3, 8, 2), (2, 16, 4)):
            config = replace(
                TINY,
                rows=rows,
                columns=columns,
                vector_taps=taps,
                bus_bytes=bus,
                activation_banks=banks,
            )
            luts = round(luts_of(config))
            cells = {"LUT4": luts - 16, "CCU2C": 4, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 7}
            found.append({"config": numbers(config), "cells": cells})
    return found


def test_linear_costs_are_found_exactly():
    weights = np.array([4000, 80, 300, 100])
    model = fit(points(lambda config: features(config) @ weights))
    assert model.largest_error < 1e-9
    large = load_config("base")
    assert model.estimate(large) == round(features(large) @ weights)
    assert (model.points, model.multipliers) == (15, (4, 32))


def test_error_is_that_of_what_was_left_out():
    weights = np.array([4000, 80, 300, 100])
    odd = points(lambda config: features(config) @ weights)
    odd[4]["cells"]["LUT4"] *= 2
    model = fit(odd)
    assert 0.3 < model.largest_error < 0.6
    assert model.mean_error < model.largest_error / 3


def test_no_weight_is_negative():
    model = fit(points(lambda config: 9000 - 20 * config.columns + 30 * config.macs_per_cycle))
    assert model.weights.min() >= 0
    assert model.estimate(load_config("base")) > model.estimate(TINY) > 0


def test_model_that_comes_with_the_package():
    model = lut_model()
    assert model.points >= 11
    assert 0 < model.mean_error < 0.05
    assert model.largest_error < 0.1
    sizes = [model.estimate(load_config(name)) for name in ("tiny", "small", "base")]
    assert sizes == sorted(sizes)
    assert f"{model.points} syntheses" in model.describe()


def test_syntheses_have_a_dsp_for_each_multiplier():
    for point in json.loads(TABLE.read_text())["points"]:
        config = Config(name="point", **point["config"])
        dsps = config.macs_per_cycle + config.columns * config.vector_taps
        assert point["cells"]["MULT18X18D"] == dsps


@pytest.mark.parametrize("name", ["rows", "columns", "vector_taps", "bus_bytes"])
def test_more_of_anything_takes_no_fewer_luts(name):
    small = replace(TINY, rows=2, columns=4, vector_taps=2)
    large = replace(small, **{name: 2 * getattr(small, name)})
    assert lut_model().estimate(large) >= lut_model().estimate(small)
