"""Engines by name, and the Verilog that is kept for them."""

import pytest

from shiftloom.flow import cache, engines
from shiftloom.flow.errors import FlowError
from shiftloom.isa.config import load_config
from shiftloom.sim.cycle.memory import Memory
from shiftloom.sim.golden import run_segment


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Put the cache into a folder of this test."""
    monkeypatch.setattr(cache, "user_cache_path", lambda *_, **__: tmp_path)
    return tmp_path


def test_names():
    assert engines.make_runner("golden", load_config("tiny")) is run_segment
    with pytest.raises(FlowError, match="no engine fast: use golden or cycle or rtl"):
        engines.make_runner("fast", load_config("tiny"))


def test_a_memory_for_an_engine_without_time():
    config = load_config("tiny")
    with pytest.raises(FlowError, match="golden engine knows no time"):
        engines.make_runner("golden", config, memory=Memory())


def test_the_cycle_engine_runs_no_program():
    with pytest.raises(FlowError, match="cycle engine runs no program"):
        engines.make_runner("cycle", load_config("tiny"))


def test_texts_are_kept(folder):
    assert cache.kept_text("a/b") is None
    cache.keep_text("a/b", "text\nof two lines")
    assert cache.kept_text("a/b") == "text\nof two lines"
    (folder / "a" / "b").write_bytes((folder / "a" / "b").read_bytes()[:-1])
    assert cache.kept_text("a/b") is None
    (folder / "a" / "b").write_bytes(b"\xff\xfe")
    assert cache.kept_text("a/b") is None


def test_cache_that_cannot_be_written(folder):
    (folder / "a").write_text("a file, not a folder")
    cache.keep_text("a/b", "text")
    assert cache.kept_text("a/b") is None


def test_verilog_is_made_once(folder, monkeypatch):
    made = []

    def write(config):
        made.append(config.name)
        return f"module of {config.name}"

    monkeypatch.setattr("shiftloom.hw.verilog.simulation_verilog", write)
    for name in ("tiny", "tiny", "small", "tiny"):
        assert engines.simulation_text(load_config(name)) == f"module of {name}"
    assert made == ["tiny", "small"]
    monkeypatch.setattr(engines.metadata, "version", lambda name: "0.0")
    engines.simulation_text(load_config("tiny"))
    assert made == ["tiny", "small", "tiny"]
