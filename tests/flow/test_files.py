"""Outputs are there whole or not at all."""

import pytest

from shiftloom.flow.files import write_file, write_files


def contents(folder):
    """Return all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_file_with_folders_above_it(tmp_path):
    write_file(tmp_path / "a" / "b.txt", "text")
    assert contents(tmp_path) == {"a/b.txt": b"text"}


def test_file_that_fails_keeps_what_was_there(tmp_path):
    target = write_file(tmp_path / "old", b"old")
    with pytest.raises(TypeError):
        write_file(target, 3)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_file(tmp_path / "folder", b"new")
    assert contents(tmp_path) == {"old": b"old"}


def test_folder_keeps_other_files(tmp_path):
    write_file(tmp_path / "out" / "mine", b"mine")
    paths = write_files(tmp_path / "out", {"a": b"1", "sub/b": "2"})
    assert paths == [tmp_path / "out" / "a", tmp_path / "out" / "sub" / "b"]
    assert contents(tmp_path / "out") == {"mine": b"mine", "a": b"1", "sub/b": b"2"}


def test_folder_that_fails_writes_nothing(tmp_path):
    write_file(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_files(tmp_path, {"a": b"new", "b": 3})
    assert contents(tmp_path) == {"a": b"old"}


def test_folder_that_is_a_file(tmp_path):
    write_file(tmp_path / "out", b"file")
    with pytest.raises(NotADirectoryError):
        write_files(tmp_path / "out", {"a": b"1"})
    assert contents(tmp_path) == {"out": b"file"}
