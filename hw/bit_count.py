"""BitCount: how many lanes have both bits set, with no more adders than there are lanes."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .and_adder import AndAdder

__all__ = ["BitCount"]


class _Chain:
    """Positions of one carry chain, which levels add and whose sums they see at once."""

    def __init__(self, name, lanes):
        self.name = name
        self.positions = []
        self.total = Signal(2 * lanes, name=f"{name}_total")

    def add(self, positions):
        """Append positions; return their sums, and that of one more, which ends or begins others.

        The carry that arrives at the position behind is its sum: see AndAdder.
        """
        begin = len(self.positions)
        self.positions += positions
        return self.total[begin : len(self.positions) + 1]

    def close(self, m):
        """Make the adder."""
        m.submodules[self.name] = adder = AndAdder(len(self.positions) + 1)
        for port, bits in zip("abcd", zip(*self.positions, strict=True), strict=True):
            m.d.comb += getattr(adder, port).eq(Cat(*bits))
        m.d.comb += self.total.eq(adder.total)


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
        chains = [_Chain(name, self.lanes) for name in ("threes_and_last", "level_1", "level_2")]
        numbers, level = self._threes(chains[0], threes), 1
        while len(numbers) > 1:
            count, chain = len(numbers) // 2, chains[level if level <= 2 else 0]
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
        positions = []
        for first, second, third in zip(pairs[::3], pairs[1::3], pairs[2::3], strict=True):
            positions += [(*first, *first), (*second, *third)]
        total = chain.add(positions)
        return [Cat(total[k + 1], total[k + 2]) for k in range(0, 2 * (len(pairs) // 3), 2)]

    def _level(self, chain, numbers, carries):
        """Return sums of two numbers and a lane each."""
        one, width = Const(1, 1), len(numbers[0])
        positions = []
        for x, y, carry in zip(numbers[::2], numbers[1::2], carries, strict=True):
            positions.append((*carry, *carry))
            positions += [(x[bit], one, y[bit], one) for bit in range(width)]
        total = chain.add(positions)
        step = width + 1
        return [total[k + 1 : k + 1 + step] for k in range(0, step * len(carries), step)]

    def _kept(self, m, value, name, init=0):
        register = Signal(len(value), name=name, init=init, reset_less=True)
        m.d.sync += register.eq(value)
        return register

    def _held(self, m, pair, name):
        """Return a lane one cycle later; its product is free in the adder that takes it.

        Weights that are constants, 1, are so from the beginning: then they need no register.
        """
        return self._kept(m, pair[0], name), self._kept(m, pair[1], f"{name}_weight", init=1)
