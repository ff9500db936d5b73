"""The cache of tool results: made once, and made again when it is damaged."""

import pytest

from shiftloom.boards.cache import cached, content_key


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_keys_tell_texts_and_their_borders_apart():
    keys = [content_key("ab", "c"), content_key("a", "bc"), content_key("abc"), content_key("ab")]
    assert len({*keys}) == 4
    assert content_key("ab", "c") == keys[0]


def test_files_are_made_once(cache, tmp_path):
    made = []

    def make():
        made.append(True)
        (tmp_path / "result").write_text("result")

    assert not cached("key", ["result"], tmp_path, make)
    (tmp_path / "result").unlink()
    assert cached("key", ["result"], tmp_path, make)
    assert (tmp_path / "result").read_text() == "result"
    assert len(made) == 1
    assert not cached("other", ["result"], tmp_path, make)


def test_damaged_entries_are_made_again(cache, tmp_path):
    def make():
        (tmp_path / "result").write_text("result")

    cached("key", ["result"], tmp_path, make)
    (kept,) = cache.rglob("result.gz")
    kept.write_bytes(kept.read_bytes()[:10])
    assert not cached("key", ["result"], tmp_path, make)


def test_what_fails_is_not_kept(cache, tmp_path):
    def fail():
        raise RuntimeError("the tool failed")

    with pytest.raises(RuntimeError):
        cached("key", ["result"], tmp_path, fail)
    assert not list(cache.rglob("*.gz"))
