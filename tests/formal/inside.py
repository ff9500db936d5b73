"""What proofs by induction see of blocks inside others, and claim of those they all use."""

from amaranth import Array, Assert, Const, Module, Mux, Signal
from amaranth.hdl import Value
from amaranth.utils import ceil_log2

from .harness import inner

__all__ = ["QueueInside", "SkidInside", "modulo", "part", "rows"]


def part(fragment, *path: str):
    """Return a block inside an elaborated one, by the names on the way to it."""
    for wanted in path:
        fragment = next(inside for inside, name, _ in fragment.subfragments if name == wanted)
    return fragment


def rows(memory, name: str) -> list[Signal]:
    """Return what an elaborated memory holds, row by row, through read ports of its own."""
    depth = memory._data.depth  # not public, nor are the ports; the version is bounded below 0.6
    width = len(Value.cast(memory._write_ports[0]._data))
    found = [Signal(width, name=f"{name}_{place}") for place in range(depth)]
    for place, row in enumerate(found):
        addr = Const(place, ceil_log2(depth))
        memory.read_port(domain="comb", addr=addr, data=row, en=Const(1, 1), transparent_for=())
    return found


def modulo(value, size: int):
    """Return the remainder of a number below twice the size."""
    return Mux(value >= size, value - size, value)[: ceil_log2(size)]


class QueueInside:
    """A StreamQueue inside, and claims about its registers that always hold.

    Parameters
    ----------
    m : Module
        Where they are claimed.
    fragment
        The queue, elaborated.
    name : str
        In messages and of signals.

    Attributes
    ----------
    valid, head : Signal
        Whether a payload is offered, and which.
    waiting : list of pair of Value
        Of the payloads behind it, in order: whether there are so many, and the payload.
    count : Signal
        Payloads inside, with the one that is offered.
    enters, payload : Value
        Whether one enters in this cycle, and which.
    """

    def __init__(self, m: Module, fragment, name: str) -> None:
        memory = part(fragment, "storage")
        kept, size = rows(memory, f"{name}_row"), memory._data.depth
        first = Value.cast(memory._read_ports[0]._addr)
        end = Value.cast(memory._write_ports[0]._addr)
        self.enters = inner(fragment, "pushes")
        self.payload = Value.cast(memory._write_ports[0]._data)
        level, room, waits = (inner(fragment, each) for each in ("level", "room", "waits"))
        self.valid, self.head = inner(fragment, "valid"), inner(fragment, "o__payload")
        self.waiting = [
            (level > place, Array(kept)[modulo(first + place, size)]) for place in range(size)
        ]
        self.count = Signal(range(size + 2), name=f"{name}_count")
        m.d.comb += [
            self.count.eq(level + self.valid),
            Assert(level <= size, f"{name}: no more than the memory holds"),
            Assert(room == (level != size), f"{name}: room"),
            Assert(waits == (level != 0), f"{name}: something waits"),
            Assert((first < size) & (end < size), f"{name}: addresses"),
            Assert(modulo(first + level, size) == end, f"{name}: what waits lies between them"),
        ]


class SkidInside:
    """A Skid inside, likewise: ``contents`` are its two places, and ``count`` what they hold."""

    def __init__(self, m: Module, fragment, name: str) -> None:
        valid, spare_valid = inner(fragment, "valid"), inner(fragment, "spare_valid")
        self.contents = [(valid, inner(fragment, "payload")), (spare_valid, inner(fragment, "spare"))]
        self.count = Signal(range(3), name=f"{name}_count")
        m.d.comb += [
            self.count.eq(valid + spare_valid),
            Assert(valid | ~spare_valid, f"{name}: the second place is filled last"),
        ]
