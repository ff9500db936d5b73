"""One thread: tensors are small, and test processes run side by side."""

from importlib import import_module
from importlib.util import find_spec

if find_spec("torch") is not None:
    import_module("torch").set_num_threads(1)
