"""What proofs by induction see of blocks inside others, and claim of those they all use."""

from amaranth import Array, Assert, Cat, Const, Module, Mux, Signal
from amaranth.asserts import AnySeq
from amaranth.hdl import Value
from amaranth.lib.wiring import Out
from amaranth.utils import ceil_log2

from .harness import inner

__all__ = [
    "Line",
    "QueueInside",
    "SkidInside",
    "anything",
    "in_state",
    "loops_inside",
    "modulo",
    "part",
    "rows",
    "unnamed",
]


def anything(block: type) -> type:
    """Return a class of blocks with the same ports that say anything at any time."""

    def elaborate(self, platform):
        m = Module()
        for _, member, value in self.signature.flatten(self):
            if member.flow is Out:
                m.d.comb += Value.cast(value).eq(AnySeq(len(Value.cast(value))))
        return m

    return type(block.__name__, (block,), {"elaborate": elaborate})


def in_state(fragment, name: str, *states: str):
    """Return whether a state machine of an elaborated block is in one of some states."""
    register = inner(fragment, name)
    numbers = {}
    for number in range(1 << len(register)):
        try:
            numbers[register._decoder(number).split("/")[0]] = number  # not public either
        except KeyError:
            break
    return Cat(register == numbers[state] for state in states).any()


def part(fragment, *path: str):
    """Return a block inside an elaborated one, by the names on the way to it."""
    for wanted in path:
        fragment = next(inside for inside, name, _ in fragment.subfragments if name == wanted)
    return fragment


def unnamed(fragment) -> list[Signal]:
    """Return the registers of one bit that an elaborated block leaves without a name, in order."""
    found = {
        signal.duid: signal
        for statement in fragment.statements["sync"]
        for signal in statement._lhs_signals()
        if signal.name == "$signal" and len(signal) == 1
    }
    return [found[number] for number in sorted(found)]


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


def loops_inside(m: Module, fragment):
    """Return the iterations of a LoopNest inside; claims what its registers say of each other."""
    nest = fragment.origins[0].o
    idle, loads = inner(fragment, "idle"), inner(fragment, "loads")
    last = nest.p.last.as_value().all()
    m.d.comb += [
        Assert(idle == ~nest.valid, "loops rest without an iteration"),
        Assert(loads == (idle | nest.p.ends), "loops load after the last iteration"),
        Assert(~nest.valid | (nest.p.ends == last), "loops end together"),
    ]
    return nest


class Line:
    """What entered a queue and has not left it, in order: a proof's own record.

    Parameters
    ----------
    m : Module
        Where it is kept.
    queue : QueueInside
        The queue.
    leaves : Value
        Its first payload leaves in this cycle.
    payload : Value
        What to record of the one that enters.
    name : str
        Of signals.

    Attributes
    ----------
    places : list of Signal
        From the one that leaves next; those from ``queue.count`` on are empty.
    """

    def __init__(self, m: Module, queue: QueueInside, leaves, payload, name: str) -> None:
        depth = len(queue.waiting) + 1
        self.places = [Signal(len(payload), name=f"{name}_{n}") for n in range(depth)]
        last = (queue.count - leaves)[: len(queue.count)]
        for n, (place, behind) in enumerate(zip(self.places, [*self.places[1:], 0], strict=True)):
            enters = queue.enters & (last == n)
            m.d.sync += place.eq(Mux(enters, payload, Mux(leaves, behind, place)))

    def of_waiting(self, queue: QueueInside, number: int):
        """Return the place of a payload behind the one that is offered, if one is."""
        return Mux(queue.valid, self.places[number + 1], self.places[number])


class SkidInside:
    """A Skid inside, likewise: ``contents`` are its two places, and ``count`` what they hold."""

    def __init__(self, m: Module, fragment, name: str) -> None:
        valid, spare_valid = inner(fragment, "valid"), inner(fragment, "spare_valid")
        payload, spare = inner(fragment, "payload"), inner(fragment, "spare")
        self.contents = [(valid, payload), (spare_valid, spare)]
        self.count = Signal(range(3), name=f"{name}_count")
        m.d.comb += [
            self.count.eq(valid + spare_valid),
            Assert(valid | ~spare_valid, f"{name}: the second place is filled last"),
            Assert(inner(fragment, "ready") == ~spare_valid, f"{name}: room as it says"),
        ]
