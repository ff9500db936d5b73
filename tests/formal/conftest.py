"""Which proofs continuous integration runs: all but those that take minutes."""

import pathlib

import pytest

HERE = pathlib.Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("long") is None:
            item.add_marker(pytest.mark.proof)
