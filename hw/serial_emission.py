"""SerialEmission: which columns give results, and where results and residuals lie."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from ..isa.instructions import FORMATS, Opcode
from .serial_fields import capture, instruction_word_layout

__all__ = ["SerialEmission"]


def _width(name):
    return next(f.width for f in FORMATS[Opcode.VECTOR_LOOPS] if f.name == name)


class SerialEmission(wiring.Component):
    """Keep count of columns and the addresses of results and residuals.

    Parameters
    ----------
    config : Config
        Size of the activation buffer.

    Members
    -------
    word : In(instruction_word_layout(config))
        Words of instructions.
    start : In(1)
        The work begins.
    column_ends, row_ends : In(1)
        A column is done; it was the row's last.
    emits : Out(1)
        The present column gives a result.
    write_addr, residual_addr : Out(range(config.activation_words))
        Of the present column's result and residual.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        addr = range(config.activation_words)
        super().__init__(
            {
                "word": In(instruction_word_layout(config)),
                **{name: In(1) for name in ("start", "column_ends", "row_ends")},
                "emits": Out(1),
                "write_addr": Out(addr),
                "residual_addr": Out(addr),
            }
        )

    def elaborate(self, platform):
        m = Module()
        first = Signal(_width("emit_first"), reset_less=True)
        period = Signal(_width("emit_period"), reset_less=True)
        capture(m, self.word, first, Opcode.VECTOR_LOOPS, "emit_first")
        capture(m, self.word, period, Opcode.VECTOR_LOOPS, "emit_period")
        until = Signal.like(first)
        none_first, each = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [none_first.eq(first == 0), each.eq(period == 1)]
        with m.If(self.start | (self.column_ends & self.row_ends)):
            m.d.sync += [until.eq(first), self.emits.eq(none_first)]
        with m.Elif(self.column_ends):
            m.d.sync += [
                until.eq(Mux(self.emits, period, until) - 1),
                self.emits.eq(Mux(self.emits, each, until == 1)),
            ]
        self._walk(m, "write", Opcode.VECTOR_LOOPS, self.write_addr)
        self._walk(m, "residual", Opcode.VECTOR_REQUANTIZE, self.residual_addr)
        return m

    def _walk(self, m, name, settings, addr):
        """Move an address with results and rows."""

        def register(suffix):
            return Signal(len(addr), name=f"{name}_{suffix}", reset_less=True)

        present, row, stride, row_stride = map(register, ("now", "row", "stride", "row_stride"))
        capture(m, self.word, stride, settings, f"{name}_stride")
        capture(m, self.word, row_stride, settings, f"{name}_row_stride")
        for target in (present, row):
            capture(m, self.word, target, Opcode.VECTOR, f"{name}_addr")
        moved = register("moved")
        m.d.comb += [
            moved.eq(Mux(self.row_ends, row, present) + Mux(self.row_ends, row_stride, stride)),
            addr.eq(present),
        ]
        with m.If(self.column_ends & (self.row_ends | self.emits)):
            m.d.sync += present.eq(moved)
        with m.If(self.column_ends & self.row_ends):
            m.d.sync += row.eq(moved)
