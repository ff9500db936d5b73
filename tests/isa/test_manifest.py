"""JSON values read as annotated types."""

from dataclasses import dataclass

import pytest

from shiftloom.isa.manifest import ManifestError, read


@dataclass(frozen=True)
class Point:
    """A dataclass of plain values."""

    x: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A dataclass of dataclasses."""

    ends: tuple[Point, Point]
    dashed: bool


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 3, 3),
        (bool, True, True),
        (tuple[int, ...], [], ()),
        (tuple[int, str], [1, "a"], (1, "a")),
        (Point, {"x": 1, "names": ["a", "b"]}, Point(1, ("a", "b"))),
        (Point | Line, {"names": [], "x": 1}, Point(1, ())),
        (
            Line,
            {"ends": [{"x": 1, "names": []}, {"x": 2, "names": []}], "dashed": False},
            Line((Point(1, ()), Point(2, ())), False),
        ),
    ],
)
def test_values_become_objects(kind, value, expected):
    assert read(kind, value, "it") == expected


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (int, True, "it must be of type int, not True"),
        (int, 1.0, "it must be of type int, not 1.0"),
        (str, None, "it must be of type str, not None"),
        (str, ["x" * 500], r"it must be of type str, not \['x{38}$"),
        (tuple[int, ...], 5, "it must be a list, not 5"),
        (tuple[int, ...], "12", "it must be a list, not '12'"),
        (tuple[int, ...], [1, "2"], r"it\[1\] must be of type int, not '2'"),
        (tuple[int, int], [1], "it must have 2 entries, not 1"),
        (Point, [], r"it must have x, names, not \[\]"),
        (Point, {"x": 1}, "it must have x, names, not x"),
        (Point, {"x": 1, "names": [], "y": 2}, "it must have x, names, not x, names, y"),
        (Point, {"x": "1", "names": []}, "it.x must be of type int, not '1'"),
        (Point | Line, {"x": 1}, "it must be a Point or Line, not"),
    ],
)
def test_other_values_are_refused(kind, value, message):
    with pytest.raises(ManifestError, match=message):
        read(kind, value, "it")
