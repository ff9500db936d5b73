"""Random contents of the parameter buffer: biases, shifts, taps and thresholds of vector jobs."""

import random

import numpy as np

from shiftloom.isa.thresholds import NEVER

__all__ = ["Parameters"]


class Parameters:
    """Puts the parameters of random jobs into a machine.

    Parameters
    ----------
    machine : Machine
        Gets them.
    seed : int
        Of everything random.
    """

    def __init__(self, machine, seed):
        self.machine, self.config = machine, machine.config
        self.generator = np.random.default_rng(seed)
        self.compares, self.tables = random.Random(f"thresholds {seed}"), {}
        self.used = 0

    def thresholds(self, narrow, fixed):
        """Return the fields that let every third job compare, beside a residual none does."""
        rng, most = self.compares, self.config.threshold_bits
        bits = fixed.get("threshold_bits", rng.randint(1, max(1, most)))
        chosen = rng.random() < 0.35 and most and not fixed.get("residual")
        if not (chosen or fixed.get("threshold_bits")):
            return {}, {}
        if (bits, narrow) not in self.tables:
            self.tables[bits, narrow] = self._table(bits, narrow)
        fields = {"threshold_bits": bits, "residual": 0}
        return fields, {"threshold_addr": self.tables[bits, narrow]}

    def _table(self, bits, narrow):
        """Put threshold words into the machine, some never reached; return the address."""
        lanes, count = self.config.word_bytes, 1 << bits
        generator = np.random.default_rng([bits, narrow])
        magnitude = 9 if narrow else generator.integers(10, 31, (lanes, count))
        values = generator.integers(-(1 << 31), 1 << 31, (lanes, count)) >> (31 - magnitude)
        values[generator.random(values.shape) < 0.05] = NEVER
        values = np.sort(values, axis=1)
        values[:, -1] = generator.integers(-(1 << 31), 1 << 31, lanes)  # the unused half
        words = values.astype("<i4").reshape(lanes, -1, 2).transpose(1, 0, 2)
        return self._put(np.ascontiguousarray(words).view(np.uint8))

    def words(self, steps, window, narrow):
        """Put a parameter word and tap words into the machine; return the address.

        Sums that are ``narrow`` are codes, and get a small bias and shift.
        """
        generator, lanes = self.generator, self.config.word_bytes
        words = np.zeros((1 + steps, lanes, 8), np.uint8)
        bias = generator.integers(-(1 << 13), 1 << 13, lanes) >> (8 if narrow else 0)
        words[0, :, :4] = bias.astype("<i4").reshape(-1, 1).view(np.uint8)
        shift = generator.integers(0, 2, lanes) if narrow else generator.integers(5, 12, lanes)
        words[0, :, 4] = shift | (generator.integers(8, size=lanes) << 5)
        addend = generator.integers(-100, 100, lanes)
        words[0, :, 6:] = addend.astype("<i2").reshape(-1, 1).view(np.uint8)
        taps = generator.integers(-(1 << 15), 1 << 15, (steps, lanes, 4))
        zeros = generator.random(taps.shape) < 0.3
        if not window:
            zeros[..., : self.config.vector_taps - 1] = True
        taps[zeros] &= ~0x1FF
        words[1:] = (
            taps.astype("<i2").reshape(steps, lanes, 4, 1).view(np.uint8).reshape(steps, lanes, 8)
        )
        return self._put(words)

    def _put(self, words):
        """Put parameter words into the machine; return the address."""
        addr = self.used
        self.used += len(words)
        if self.used > self.config.parameter_words:
            raise ValueError(f"{self.used} parameter words do not fit")
        flat = words.reshape(-1, self.config.word_bytes)
        self.machine.parameter[8 * addr : 8 * addr + len(flat)] = flat
        return addr
