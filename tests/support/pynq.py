"""A module ``pynq`` whose accelerator is compiled Verilog: registers, and buffers with caches.

The processor's caches are modelled as they can be at their worst: what a program writes to a
buffer reaches memory when it is flushed and not before, and what the accelerator writes is seen
after the buffer is invalidated.
"""

import sys
import types

import numpy as np

from shiftloom.isa.registers import REGISTERS

__all__ = ["Board", "import_driver"]

_PAGE = 4096

#: Cycles that pass while the processor reads a register.
_CYCLES = 200


class Buffer(np.ndarray):
    """Bytes as the processor sees them; ``memory`` is what the accelerator sees."""

    def __array_finalize__(self, other):
        for name in ("board", "memory", "physical_address"):
            setattr(self, name, getattr(other, name, None))

    def flush(self):
        self.memory[:] = np.asarray(self)

    def invalidate(self):
        self[:] = self.memory

    def freebuffer(self):
        self.board.live.remove(self.physical_address)


class Board:
    """A board with one accelerator.

    Parameters
    ----------
    bench : Bench
        The compiled accelerator.
    address : int
        Where memory for buffers begins.

    Attributes
    ----------
    live : list of int
        Addresses of buffers that were not given back.
    """

    def __init__(self, bench, address=0x1000_0000):
        self.bench, self.address, self.live = bench, address, []
        self.names = {entry.offset: entry.name for entry in REGISTERS}

    def allocate(self, shape, dtype):
        buffer = np.full(shape, 0xA5, dtype).view(Buffer)
        buffer.board, buffer.physical_address = self, self.address
        buffer.memory = np.full(shape, 0x5A, dtype)
        self.bench.map(buffer.memory, self.address, writable=True)
        self.live.append(self.address)
        self.address += -(-buffer.nbytes // _PAGE) * _PAGE + _PAGE
        return buffer

    def read(self, offset):
        self.bench.run(_CYCLES)
        return self.bench.read(self.names[offset])

    def write(self, offset, value):
        self.bench.write(self.names[offset], int(value))

    def module(self):
        """Return the module that drivers import."""
        board, module = self, types.ModuleType("pynq")

        class DefaultIP:
            def __init__(self, description):
                self.description = description

            def read(self, offset=0):
                return board.read(offset)

            def write(self, offset, value):
                board.write(offset, value)

        module.DefaultIP, module.allocate = DefaultIP, self.allocate
        return module


def import_driver(text, board, monkeypatch):
    """Return a driver's module, as Python imports it on the board."""
    monkeypatch.setitem(sys.modules, "pynq", board.module())
    module = types.ModuleType("shiftloom_pynq")
    exec(compile(text, "shiftloom_pynq.py", "exec"), module.__dict__)
    return module
