"""Feeder: which banks it reads, operand by operand."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...isa.config import Config
from ...isa.timing import FEEDER_READ
from .listing import Fields

__all__ = ["FeederReads", "operand_address"]

_TILE_LEVELS = {
    "blocks": "block_stride",
    "groups": "",
    "kernel_rows": "kernel_row_stride",
    "kernel_columns": "kernel_column_stride",
}


def _axes(config: Config, loops: Fields, work: Fields) -> list[tuple[int, int]]:
    """Return count and stride of each loop, the outermost first."""
    strides = [(loops[k], loops[s] if s else config.rows) for k, s in _TILE_LEVELS.items()]
    return [
        *strides,
        (work["rows"], loops["row_stride"]),
        (loops["columns"], loops["column_stride"]),
    ]


def _address_mask(config: Config) -> int:
    return (1 << (config.activation_bytes - 1).bit_length()) - 1


def operand_address(config: Config, loops: Fields, work: Fields) -> int:
    """Return the byte address of a job's last operand."""
    reach = sum((count - 1) * stride for count, stride in _axes(config, loops, work))
    return (work["addr"] + reach) & _address_mask(config)


class FeederReads:
    """What one MAC job reads.

    Words that the operand before took, one cycle earlier, are not read again.

    Parameters
    ----------
    config : Config
        The accelerator.
    issues : callable
        Returns the cycle of each operand, a row for each tile.
    loops, work : mapping
        Fields of the job.
    before : tuple of int
        Cycle and byte address of the operand before the job's first.
    """

    __slots__ = ("_before", "_begin", "_config", "_end", "_issues", "_loops", "_work")

    def __init__(
        self,
        config: Config,
        issues: Callable[[], NDArray[np.int64]],
        loops: Fields,
        work: Fields,
        before: tuple[int, int],
    ) -> None:
        self._config, self._issues, self._loops, self._work = config, issues, loops, work
        self._before = before
        self._begin = self._end = 0

    def bounds(self, begin: int, end: int) -> None:
        """Say in which cycles the first and the last read may be."""
        self._begin, self._end = begin, end

    def begin(self) -> int:
        """Return the first cycle of what is not written down yet."""
        return self._begin

    def end(self) -> int:
        """Return a cycle after which nothing follows."""
        return self._end

    def cycles(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return cycles and banks taken, one bit each, of the whole job."""
        self._begin = self._end + 1
        config = self._config
        issued = np.concatenate(([self._before[0]], self._issues().ravel()))
        addr = np.concatenate(([self._before[1]], self._addresses()))
        word, offset = addr // config.word_bytes, addr % config.word_bytes
        wide = offset > config.word_bytes - config.rows
        again = (np.diff(issued) == 1) & (np.diff(word) == 0) & (wide[:-1] | ~wide[1:])
        word, wide = word[1:][~again], wide[1:][~again]
        banks = config.activation_banks
        taken = (1 << (word % banks)) | np.where(wide, 1 << ((word + 1) % banks), 0)
        return issued[1:][~again] + FEEDER_READ, taken.astype(np.uint8)

    def _addresses(self) -> NDArray[np.int64]:
        """Return the byte address of each operand."""
        addr = np.array([self._work["addr"]])
        for count, stride in _axes(self._config, self._loops, self._work):
            addr = np.add.outer(addr, np.arange(count) * stride).ravel()
        return addr & _address_mask(self._config)
