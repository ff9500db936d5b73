"""The LiteX module in systems with each of LiteX's buses."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from shiftloom.boards.ip.package import litex_module
from shiftloom.hw.verilog import flat_verilog

pytestmark = pytest.mark.skipif(
    find_spec("litex") is None, reason="litex is not installed (dependency group litex)"
)
