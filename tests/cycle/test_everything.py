"""The whole comparison with RTL, in parts; ``everything.py`` says how many."""

import pytest

from tests.cycle import everything

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

CONFIGS = pytest.mark.parametrize("config", everything.CONFIGS, ids=lambda c: c.name)


@CONFIGS
@pytest.mark.parametrize("kind", everything.KINDS)
def test_random(engine_of, config, kind):
    found = everything.check_kind(engine_of(config), config, kind)
    _, seeds = everything.KINDS[kind]
    assert found["runs"] >= found["programs"] * len(everything.MEMORIES)
    assert found["programs"] > len(seeds) * 0.8


@CONFIGS
@pytest.mark.data
@pytest.mark.parametrize("name", everything.PUBLISHED)
def test_published(engine_of, config, name):
    found = everything.check_published(engine_of(config), config, name)
    assert found["runs"] >= len(everything.MEMORIES)


def test_as_many_as_are_claimed():
    count = len(everything.CONFIGS)
    programs, layers = (len(everything.KINDS[f"random {k}"][1]) for k in ("programs", "layers"))
    assert (programs * count >= 1000, layers * count * 0.8 >= 300) == (True, True)
