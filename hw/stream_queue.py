"""StreamQueue: a FIFO of any shape between two streams."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import Shape
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamQueue"]


class StreamQueue(wiring.Component):
    """Keep payloads in order.

    Takes and gives one payload each cycle. A payload that enters an empty queue leaves it two
    cycles later.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        Payloads that it holds, at least 3.
    quick : bool
        Payloads lie in distributed memory, however many they are: they are there at the beginning
        of a cycle, where block memory takes half of it.

    Members
    -------
    i : In(stream.Signature(shape))
        Payloads in.
    o : Out(stream.Signature(shape))
        Payloads out.
    empty : Out(1)
        Nothing is inside.
    """

    def __init__(self, shape, depth: int, quick: bool = False) -> None:
        self.quick = quick
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width, size = Shape.cast(self.shape).width, self.depth - 1
        style = {"ram_style": "distributed"} if self.quick else {}
        storage = memory.Memory(shape=width, depth=size, init=[], attrs=style)
        m.submodules.storage = storage
        write, read = storage.write_port(), storage.read_port()
        # Registers say whether there is room and whether something waits: both go far.
        level = Signal(range(size + 1))
        before = Signal.like(level)
        came = Signal()
        went = Signal()
        room = Signal(init=1)
        waits = Signal()
        valid = Signal()
        pushes = Signal()
        pulls = Signal()
        m.d.comb += [
            pushes.eq(self.i.valid & room),
            pulls.eq(waits & (~valid | self.o.ready)),
            self.i.ready.eq(room),
            self.o.valid.eq(valid),
            self.o.payload.eq(read.data),
            self.empty.eq(~waits & ~valid),
            # Where the next payload goes nothing is until it has come: what is there, nobody reads.
            # Room is known at once; whether a payload comes, late.
            write.data.eq(self.i.payload),
            write.en.eq(room),
            read.en.eq(pulls),
        ]
        # Who gives and who takes is known late: the bits are functions of it at once, not enabled
        # or cleared by it, which is one step more; and the level is counted a cycle later.
        rises, falls = pushes & ~pulls, pulls & ~pushes
        m.d.comb += level.eq(before + came - went)
        m.d.sync += [
            came.eq(pushes),
            went.eq(pulls),
            before.eq(level),
            waits.eq(rises | (waits & ~(falls & (level == 1)))),
            room.eq(falls | (room & ~(rises & (level == size - 1)))),
        ]
        for port, moves in ((write, pushes), (read, pulls)):
            with m.If(moves):
                m.d.sync += port.addr.eq(Mux(port.addr == size - 1, 0, port.addr + 1))
        m.d.sync += valid.eq(waits | (valid & ~self.o.ready))
        return m
