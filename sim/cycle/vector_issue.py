"""VectorIssue: what a VECTOR job asks for, in order."""

import numpy as np
from numpy.typing import NDArray

from ...isa.config import Config
from ...isa.instructions import VectorSource
from .listing import Fields

__all__ = ["VectorIssue"]


class VectorIssue:
    """The pixels, input words and residual words of one job.

    Parameters
    ----------
    config : Config
        Number of banks.
    loops, requantize, work : mapping
        Fields of the job.

    Attributes
    ----------
    count : int
        Cycles that it takes if nothing waits.
    taken : int
        Pixels and input words.
    from_words : bool
        Operands are words of the activation buffer.
    reads : bool
        It reads the activation buffer.
    """

    def __init__(self, config: Config, loops: Fields, requantize: Fields, work: Fields) -> None:
        self._config = config
        self._loops, self._requantize, self._work = loops, requantize, work
        self.from_words = loops["source"] == VectorSource.ACTIVATION
        self._rows, self._columns = work["rows"], loops["columns"]
        self._kernel = 1, 1
        if self.from_words:
            self._kernel = loops["kernel_rows"], loops["kernel_columns"]
        steps = self._kernel[0] * self._kernel[1]
        self._emitting = np.arange(loops["emit_first"], self._columns, loops["emit_period"])
        self.taken = self._rows * self._columns * steps
        residuals = self._rows * len(self._emitting) * requantize["residual"]
        self.reads = self.from_words or residuals > 0
        self.count = self.taken + residuals * self.from_words

    def banks(self) -> bytes:
        """Return the bank, as one bit, that each step reads; 0 if none."""
        residual = self._residual_banks()
        if not self.from_words:
            return residual.tobytes()
        inputs = self._input_banks()
        if not self._requantize["residual"]:
            return inputs.tobytes()
        slots = np.concatenate([inputs, residual[:, :, None]], axis=2)
        return slots[self._present()].tobytes()

    def emitting_steps(self) -> NDArray[np.int64]:
        """Return which steps complete a result."""
        if not self.from_words:
            return np.add.outer(np.arange(self._rows) * self._columns, self._emitting).ravel()
        columns = np.zeros(self._columns, bool)
        columns[self._emitting] = True
        present = self._present()
        completes = np.zeros(present.shape, bool)
        completes[:, columns, -1 if self._requantize["residual"] else -2] = True
        return np.flatnonzero(completes[present])

    def write_banks(self) -> NDArray[np.uint8]:
        """Return the bank, as one bit, that each result goes to."""
        loops = self._loops
        strides = loops["write_row_stride"], loops["write_stride"]
        return self._bits(self._results(self._work["write_addr"], *strides)).ravel()

    def _present(self) -> NDArray[np.bool_]:
        """Return which of ``(rows, columns, kernel steps + 1)`` are steps of the job."""
        steps = self._kernel[0] * self._kernel[1]
        present = np.ones((self._rows, self._columns, steps + 1), bool)
        present[:, :, -1] = False
        if self._requantize["residual"]:
            present[:, self._emitting, -1] = True
        return present

    def _bits(self, addr: NDArray[np.int64]) -> NDArray[np.uint8]:
        return (1 << (addr % self._config.activation_banks)).astype(np.uint8)

    def _results(self, start: int, row_stride: int, stride: int) -> NDArray[np.int64]:
        rows, index = np.arange(self._rows), np.arange(len(self._emitting))
        return start + np.add.outer(rows * row_stride, index * stride)

    def _residual_banks(self) -> NDArray[np.uint8]:
        """Return the bank of each column's residual, 0 if it has none."""
        requantize = self._requantize
        banks = np.zeros((self._rows, self._columns), np.uint8)
        if requantize["residual"]:
            strides = requantize["residual_row_stride"], requantize["residual_stride"]
            addr = self._results(self._work["residual_addr"], *strides)
            banks[:, self._emitting] = self._bits(addr)
        return banks

    def _input_banks(self) -> NDArray[np.uint8]:
        """Return the banks of input words, ``(rows, columns, kernel steps)``."""
        loops = self._loops
        addr = np.array(self._work["addr"])
        for count, stride in (
            (self._rows, "row_stride"),
            (self._columns, "column_stride"),
            (self._kernel[0], "kernel_row_stride"),
            (self._kernel[1], "kernel_column_stride"),
        ):
            addr = np.add.outer(addr, np.arange(count) * loops[stride])
        return self._bits(addr).reshape(self._rows, self._columns, -1)
