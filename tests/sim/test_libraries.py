"""The cache of compiled libraries: made once, and without those used longest ago."""

import os
import subprocess
import sys
import time

import pytest

from shiftloom.sim import libraries
from shiftloom.sim.libraries import content_key, kept_library, library_suffix, prune

#: Seconds since the last use, and from one use to the next.
_LAST, _APART = 2 * 3600, 100


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Give the test a cache, and a record of what its process was given, of its own."""
    monkeypatch.setattr(libraries, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(libraries, "_given", set())
    return tmp_path


def make(folder):
    (folder / "made").write_bytes(bytes(1000))
    return folder / "made"


def used(folder, *names):
    """Put libraries of 1000 bytes there, used one after the other, the last two hours ago."""
    for ago, name in enumerate(reversed(names)):
        path = folder / f"{name}{library_suffix()}"
        path.write_bytes(bytes(1000))
        _used_ago(path, _LAST + ago * _APART)


def _used_ago(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def names(folder):
    return {path.stem for path in folder.iterdir()}


def test_keys_tell_parts_and_their_borders_apart():
    keys = [content_key(b"ab", b"c"), content_key(b"a", b"bc"), content_key(b"abc")]
    assert len({*keys}) == 3
    assert content_key(b"ab", b"c") == keys[0]


def test_what_was_used_longest_ago_goes_first(folder):
    used(folder, "c", "a", "d", "b")
    prune(folder, 2000)
    assert names(folder) == {"d", "b"}
    prune(folder, 2000)
    assert names(folder) == {"d", "b"}


def test_a_use_counts_like_a_build(folder):
    used(folder, "first", "second", "third")
    kept_library("first", make)
    libraries._given.clear()  # as another process sees it
    prune(folder, 2000)
    assert names(folder) == {"first", "third"}


def test_what_this_process_was_given_stays(folder):
    used(folder, "given", "other", "last")
    given = kept_library("given", make)
    _used_ago(given, 2 * _LAST)
    prune(folder, 0)
    assert names(folder) == {"given"}


def test_what_any_process_used_lately_stays(folder):
    used(folder, "old", "new")
    _used_ago(folder / f"new{library_suffix()}", 3000)
    prune(folder, 0)
    assert names(folder) == {"new"}


def test_processes_that_build_and_prune_at_once(folder, tmp_path):
    used(folder, *map(str, range(40)))
    script = f"""
from pathlib import Path
from shiftloom.sim import libraries

def make(scratch):
    (scratch / "made").write_bytes(bytes(1000))
    return scratch / "made"

libraries.cache_folder = lambda: Path({str(folder)!r})
for number in range(60):
    assert libraries.kept_library(f"{{number}}", make).stat().st_size == 1000
    libraries.prune(libraries.cache_folder(), 2000)
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(100) for process in processes] == [0, 0]
    assert names(folder) == set(map(str, range(60)))


def test_a_build_prunes(folder, monkeypatch):
    monkeypatch.setattr(libraries.prune, "__defaults__", (2000,))
    used(folder, "a", "b")
    kept_library("c", make)
    assert names(folder) == {"b", "c"}


def test_what_is_used_while_another_process_prunes_stays(folder, monkeypatch):
    used(folder, "a", "b")
    found = list(libraries._libraries(folder))
    kept_library("a", make)
    libraries._given.clear()
    monkeypatch.setattr(libraries, "_libraries", lambda _: found)
    prune(folder, 1000)
    assert names(folder) == {"a", "b"}


def test_what_another_process_removed_is_no_error(folder, monkeypatch):
    used(folder, "a", "b")
    found = [*libraries._libraries(folder), (0, 1000, folder / f"gone{library_suffix()}")]
    monkeypatch.setattr(libraries, "_libraries", lambda _: found)
    prune(folder, 1000)
    assert names(folder) == {"b"}
    monkeypatch.undo()
    (folder / f"gone{library_suffix()}").symlink_to("nowhere")
    prune(folder, 1000)
    assert names(folder) == {"b", "gone"}


def test_what_was_removed_is_made_again(folder):
    used(folder, "a", "b")
    prune(folder, 1000)
    kept_library("a", make)
    assert names(folder) == {"a", "b"}


def test_only_abandoned_scratch_folders_go(folder):
    for name in ("build-old", "build-new"):
        (folder / name).mkdir()
        (folder / name / "file").touch()
    _used_ago(folder / "build-old", 2 * 24 * 3600)
    prune(folder)
    assert names(folder) == {"build-new"}
