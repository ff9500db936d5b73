"""BitCount: how many lanes have both bits set, with no more adders than there are lanes."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .and_adder import AndAdder

__all__ = ["BitCount"]

#: Positions of a carry chain, less the last.
_LONGEST = 31


class _Chains:
    """Adders of numbers side by side, in carry chains that are not too long.

    A carry chain is as slow as it is long, whatever it adds, and has to lie in one piece.
    """

    def __init__(self, name):
        self.name = name
        self._chains = []

    def add(self, positions):
        """Add at some positions; return their sums, and that of one more.

        The carry that arrives at the position behind is its sum: see AndAdder.
        """
        if not self._chains or len(self._chains[-1][0]) + len(positions) > _LONGEST:
            self._chains.append(([], Signal(_LONGEST + 1, name=f"{self.name}_total")))
        chain, total = self._chains[-1]
        begin = len(chain)
        chain += positions
        return total[begin : len(chain) + 1]

    def close(self, m):
        """Make the adders."""
        for number, (positions, total) in enumerate(self._chains):
            m.submodules[f"{self.name}_{number}"] = adder = AndAdder(len(positions) + 1)
            for port, bits in zip("abcd", zip(*positions, strict=True), strict=True):
                m.d.comb += getattr(adder, port).eq(Cat(*bits))
            m.d.comb += total.eq(adder.total)


class BitCount(wiring.Component):
    """Count the lanes in which operand and weight are both 1.

    Three lanes make a number of two bits. A tree of adders follows, of which each takes another
    lane as its carry in, so that one full adder serves each lane. The first three levels share a
    cycle; all levels that do not depend on each other in a cycle share a carry chain, see
    :class:`~shiftloom.hw.and_adder.AndAdder`.

    Parameters
    ----------
    lanes : int
        A power of two, at least 16.
    deep : bool
        The third level has a cycle of its own.

    Members
    -------
    operands, weights : In(lanes)
        Bits.
    count : Out(exact_log2(lanes))
        All lanes but the last that have both, ``latency`` cycles later.
    last : Out(1)
        Whether the last lane has, at the same time: whoever adds to the count takes it as a carry.
    """

    def __init__(self, lanes: int, deep: bool = False) -> None:
        self.lanes, self.deep = lanes, deep
        super().__init__(
            {
                "operands": In(lanes),
                "weights": In(lanes),
                "count": Out(exact_log2(lanes)),
                "last": Out(1),
            }
        )

    @staticmethod
    def latency(lanes: int, deep: bool = False) -> int:
        """Return the cycles from operands and weights to their count."""
        return exact_log2(lanes) - 3 + deep

    def elaborate(self, platform):
        m = Module()
        pairs = list(zip(self.operands, self.weights, strict=True))
        threes, rest = pairs[: 3 * self.lanes // 4], pairs[3 * self.lanes // 4 :]
        chains = [_Chains(name) for name in ("threes", "level_1", "level_2", "last")]
        numbers, level = self._threes(chains[0], threes), 1
        while len(numbers) > 1:
            count, chain = len(numbers) // 2, chains[min(level, 3)]
            numbers = self._level(chain, numbers, rest[:count])
            rest = rest[count:]
            if level > 1 or self.deep:  # the lanes that are left wait for their level
                numbers = [self._kept(m, n, f"number_{level}_{k}") for k, n in enumerate(numbers)]
                rest = [self._held(m, pair, f"lane_{level}_{k}") for k, pair in enumerate(rest)]
            level += 1
        for chain in chains:
            chain.close(m)
        ((a, b),) = rest
        m.d.comb += [self.count.eq(numbers[0]), self.last.eq(a & b)]
        return m

    def _threes(self, chain, pairs):
        """Return numbers of two bits, each the count of three lanes."""
        numbers = []
        for first, second, third in zip(pairs[::3], pairs[1::3], pairs[2::3], strict=True):
            total = chain.add([(*first, *first), (*second, *third)])
            numbers.append(total[1:3])
        return numbers

    def _level(self, chain, numbers, carries):
        """Return sums of two numbers and a lane each."""
        one, sums = Const(1, 1), []
        for x, y, carry in zip(numbers[::2], numbers[1::2], carries, strict=True):
            bits = [(left, one, right, one) for left, right in zip(x, y, strict=True)]
            total = chain.add([(*carry, *carry), *bits])
            sums.append(total[1:])
        return sums

    def _kept(self, m, value, name, init=0):
        register = Signal(len(value), name=name, init=init, reset_less=True)
        m.d.sync += register.eq(value)
        return register

    def _held(self, m, pair, name):
        """Return a lane one cycle later; its product is free in the adder that takes it.

        Weights that are constants, 1, are so from the beginning: then they need no register.
        """
        return self._kept(m, pair[0], name), self._kept(m, pair[1], f"{name}_weight", init=1)
