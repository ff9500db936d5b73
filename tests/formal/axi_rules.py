"""Rules of AXI4 for whoever writes and reads memory (specification IHI 0022, A3.2 to A3.4)."""

from amaranth import Array, Assert, Module, Mux, Signal
from amaranth.utils import exact_log2

from .harness import holds

__all__ = ["BOUNDARY", "Bursts", "address_rules", "is_allowed"]

#: Bytes that a burst must not cross a multiple of (A3.4.1).
BOUNDARY = 4096


def is_allowed(addr, length, config):
    """Return whether a burst is one that memory takes, by its address and its beats less one."""
    beat = exact_log2(config.bus_bytes)
    first = addr[beat : exact_log2(BOUNDARY)]
    return (length < config.burst_beats) & (first + length < BOUNDARY >> beat)


def address_rules(m: Module, channel, config, name: str) -> None:
    """Claim that addresses wait unchanged until they are taken, and that bursts are allowed."""
    holds(m, channel, Assert, name)
    allowed = is_allowed(channel.p.addr, channel.p.len, config)
    m.d.comb += Assert(~channel.valid | allowed, f"{name}: too long, or across 4 KiB")


class Bursts:
    """Follows bursts of data by their number, and claims that each has the length it was given.

    Numbers count modulo ``most``, which must be more than the bursts between the first promise of
    one and the last beat of it.

    Parameters
    ----------
    m : Module
        Where that is claimed.
    promised, length : Value
        A burst of so many beats, less one, was promised in this cycle.
    beats : stream.Interface
        The beats, which say which are their bursts' last ones.
    most : int
        A power of two.

    Attributes
    ----------
    promises, ends : Signal
        The next burst's number when promised, and the present one's when its beats pass.
    position : Signal
        The next beat's, in its burst.
    """

    def __init__(self, m: Module, promised, length, beats, most: int = 32) -> None:
        self.promises, self.ends = Signal(range(most), name="g_promises"), Signal(range(most))
        self.position = Signal.like(length, name="g_position")
        self.lengths = Array(Signal.like(length, name=f"g_length_{n}") for n in range(most))
        with m.If(promised):
            m.d.sync += [
                self.promises.eq(self.promises + 1),
                self.lengths[self.promises].eq(length),
            ]
        here = self.ends, self.position
        following = self.after(here)
        with m.If(beats.valid & beats.ready):
            m.d.sync += [self.ends.eq(following[0]), self.position.eq(following[1])]
        m.d.comb += [
            Assert(~beats.valid | (self.ends != self.promises), "beats belong to a burst"),
            Assert(~beats.valid | (beats.p.last == self.is_last(here)), "the last beat is marked"),
        ]

    def is_last(self, place):
        """Return whether the beat at a number and a position is the last of its burst."""
        number, position = place
        return position == self.lengths[number]

    def after(self, place):
        """Return where the beat behind one stands: number and position."""
        (number, position), last = place, self.is_last(place)
        return (number + last)[: len(self.ends)], Mux(last, 0, position + 1)[: len(self.position)]
