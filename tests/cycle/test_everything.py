"""The whole comparison with RTL, in parts; ``everything.py`` says how many."""

from collections import Counter

import pytest

from tests.cycle import everything

CONFIGS = pytest.mark.parametrize("config", everything.CONFIGS, ids=lambda c: c.name)


@CONFIGS
@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("kind", everything.KINDS)
def test_random(engine_of, config, kind):
    found = everything.check_kind(engine_of(config), config, kind)
    _, seeds = everything.KINDS[kind]
    assert found["runs"] >= found["programs"] * len(everything.MEMORIES)
    assert found["programs"] > len(seeds) * 0.8


@CONFIGS
@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", everything.PUBLISHED)
def test_published(engine_of, config, name):
    found = everything.check_published(engine_of(config), config, name)
    assert found["runs"] >= len(everything.MEMORIES)


def test_as_many_as_are_claimed():
    count = len(everything.CONFIGS)
    programs, layers = (len(everything.KINDS[f"random {k}"][1]) for k in ("programs", "layers"))
    assert (programs * count >= 1000, layers * count * 0.8 >= 300) == (True, True)


@pytest.mark.parametrize("absent", [(), ("resnet8", "dscnn")], ids=["all", "without two"])
def test_what_is_left_out_is_said(monkeypatch, capsys, absent):
    def published(engine, config, name):
        if name in absent:
            pytest.skip(f"needs {name}")
        return Counter(programs=1)

    monkeypatch.setattr(everything, "build_engine", lambda verilog: None)
    monkeypatch.setattr(everything, "simulation_verilog", lambda config: "")
    monkeypatch.setattr(everything, "check_kind", lambda *_: Counter(programs=10))
    monkeypatch.setattr(everything, "check_published", published)
    assert everything.main(["tiny", "odd"]) == 0
    *lines, total, summary = capsys.readouterr().out.splitlines()
    kinds, networks = len(everything.KINDS), len(everything.PUBLISHED)
    assert total.split()[:2] == ["all", str(2 * (10 * kinds + networks - len(absent)))]
    assert [line for line in lines if "left out" in line] == [
        f"{f'{config}, {name}':<28} left out: needs {name}"
        for config in ("tiny", "odd")
        for name in absent
    ]
    assert summary == (
        "0 differences in what was compared; left out: 2 of 6 published networks (resnet8, dscnn): "
        "needs dscnn; needs resnet8"
        if absent
        else "0 differences; all 6 published networks compared"
    )
