"""Uart: bytes on two wires, eight bits, no parity, one stop bit."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .board import BoardError

__all__ = ["UartReceiver", "UartTransmitter", "uart_divisor"]

_BITS = 8

#: Clock cycles of a bit at least, and the largest error of its length: half a bit in ten, halved.
_FEWEST, _ERROR = 4, 0.025


def uart_divisor(clock_hz: int, baud: int) -> int:
    """Return the clock cycles of a bit.

    Raises
    ------
    BoardError
        A bit cannot be told in so few cycles, or not closely enough.
    """
    divisor = round(clock_hz / baud)
    if divisor < _FEWEST or abs(divisor * baud - clock_hz) > _ERROR * clock_hz:
        raise BoardError(
            f"{baud} bits per second do not divide a clock of {clock_hz} Hz: it must be a whole "
            f"multiple, at least {_FEWEST} times as fast"
        )
    return divisor


class UartReceiver(wiring.Component):
    """Take bytes from a wire; each bit is read in its middle.

    A byte without a stop bit is left out; the next start bit is looked for once the wire is high
    again. Nothing waits: ``o`` is valid for one cycle.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 4.

    Members
    -------
    rx : In(1)
        The wire, high when nothing is sent; synchronized here.
    o : Out(stream.Signature(8, always_ready=True))
        Bytes.
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__(
            {"rx": In(1, init=1), "o": Out(stream.Signature(_BITS, always_ready=True))}
        )

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        # Below 0 once it is over, which one bit tells.
        wait = Signal(signed(range(self.divisor + self.divisor // 2).stop.bit_length() + 1))
        left = Signal(range(_BITS + 1))
        takes, stops = Signal(), Signal()
        bits = Signal(_BITS, reset_less=True)
        before = Signal(init=1)
        m.d.sync += before.eq(rx)
        m.d.sync += self.o.valid.eq(0)
        first = self.divisor + self.divisor // 2 - 2  # to the middle of the first data bit
        m.d.sync += stops.eq(left == 0)
        with m.If(~takes):
            m.d.sync += [wait.eq(first - 1), left.eq(_BITS)]
            m.d.sync += takes.eq(before & ~rx)
        with m.Elif(~wait[-1]):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [left.eq(left - 1), wait.eq(self.divisor - 2)]
            with m.If(stops):
                m.d.sync += [self.o.valid.eq(rx), takes.eq(0)]
            with m.Else():
                m.d.sync += bits.eq(Cat(bits[1:], rx))
        m.d.comb += self.o.payload.eq(bits)
        return m


class UartTransmitter(wiring.Component):
    """Put bytes on a wire, without a pause if they come in time.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes.
    tx : Out(1)
        The wire.
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        wait = Signal(signed((self.divisor - 1).bit_length() + 1))  # below 0 once it is over
        left = Signal(range(_BITS + 2))
        sends, ends = Signal(), Signal()
        bits = Signal(_BITS + 1, reset_less=True)
        m.d.comb += self.i.ready.eq(~sends)
        m.d.sync += ends.eq(left == 0)
        with m.If(~sends):
            m.d.sync += [bits.eq(Cat(self.i.payload, 1)), left.eq(_BITS + 1)]
            m.d.sync += [sends.eq(self.i.valid), self.tx.eq(~self.i.valid)]
            m.d.sync += wait.eq(self.divisor - 2)
        with m.Elif(~wait[-1]):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [left.eq(left - 1), wait.eq(self.divisor - 2)]
            m.d.sync += [self.tx.eq(bits[0]), bits.eq(Cat(bits[1:], 1))]
            with m.If(ends):
                m.d.sync += sends.eq(0)
        return m
