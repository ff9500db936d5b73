"""Requantizer: from exact sums to narrow codes in all lanes, by shifts or by thresholds."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import PARAMETER_LANE_BYTES, Config
from ..isa.instructions import Opcode
from ..isa.requantize import MAX_LEFT_SHIFT, Rounding
from .delay import delayed
from .interfaces import fields_layout
from .saturate import saturate
from .spread import spread
from .threshold_unit import ThresholdUnit, table_write_layout

__all__ = ["Requantizer", "lane_layout"]


def lane_layout() -> data.StructLayout:
    """Return one lane of a parameter word."""
    layout = {"bias": signed(32), "shift": 5, "unused": 11, "addend": signed(16)}
    assert data.StructLayout(layout).size == 8 * PARAMETER_LANE_BYTES
    return data.StructLayout(layout)


class Requantizer(wiring.Component):
    """Requantize one sum per lane each cycle, in two stages or by comparison.

    Bit-exact with :func:`~shiftloom.isa.semantics.execute`; nothing stalls. A left shift of more
    than 8 in the second stage saturates as one of 8 does. With ``pipeline`` each shift and each
    saturation takes two cycles.

    Parameters
    ----------
    config : Config
        Number of lanes, and how wide codes by thresholds can be.

    Members
    -------
    settings : In(fields_layout(Opcode.VECTOR_REQUANTIZE))
        Must hold still while values are inside.
    parameters : In(data.ArrayLayout(lane_layout(), config.columns))
        Likewise.
    thresholds : In(table_write_layout(config))
        A threshold word; it counts for values that come with it or later.
    values : In(data.ArrayLayout(signed(32), config.columns))
        Sums.
    residual : In(8 * config.word_bytes)
        Codes to add between the stages, :meth:`residual_latency` cycles after their values.
    codes : Out(data.ArrayLayout(8, config.columns))
        Results.
    bits : Out(config.columns)
        With a bit array: one bit of each, that of the settings' plane.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        bits = {"bits": Out(config.columns)} if config.bit_lanes else {}
        super().__init__(
            {
                **bits,
                "settings": In(fields_layout(Opcode.VECTOR_REQUANTIZE)),
                "parameters": In(data.ArrayLayout(lane_layout(), config.columns)),
                "thresholds": In(table_write_layout(config)),
                "values": In(data.ArrayLayout(signed(32), config.columns)),
                "residual": In(8 * config.word_bytes),
                "codes": Out(data.ArrayLayout(8, config.columns)),
            }
        )

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from values to codes."""
        return 8 + 4 * config.pipeline

    @staticmethod
    def residual_latency(config: Config) -> int:
        """Return the cycles from values to the residual that belongs to them."""
        return 3

    def elaborate(self, platform):
        m = Module()
        shared = self._shared(m)
        compared = None
        if self.config.threshold_bits:
            m.submodules.compared = compared = ThresholdUnit(self.config)
            settings = self.settings if self.config.pipeline else shared["settings"][0][0]
            m.d.comb += [compared.settings.eq(settings), compared.write.eq(self.thresholds)]

        for lane in range(self.config.columns):

            def register(name, width, value, lane=lane):
                signal = Signal(signed(width), name=f"{name}_{lane}", reset_less=True)
                m.d.sync += signal.eq(value)
                return signal

            own = {name: [stage[lane] for stage in value] for name, value in shared.items()}
            settings, middle, late = own["settings"]
            drops, _, drops_late = own["drops"]
            biased = register("biased", 32, self.values[lane] + self.parameters[lane].bias)
            shifted = self._shift(register, "shifted", biased, self.parameters[lane].shift)
            rounded = register("rounded", 33, self._round(shifted, settings, drops))
            limits = settings.low, settings.high
            clamped = register("clamped", 16, self._saturate(register, "mid", rounded, limits))
            sums = register("sum", 18, clamped + self._addend(register, lane, middle))
            wide = Cat(Const(0, MAX_LEFT_SHIFT), sums).as_signed()
            shifted = self._shift(register, "out_shifted", wide, own["out_shift"][0])
            rounded = register("out_rounded", len(wide) + 1, self._round(shifted, late, drops_late))
            limits = late.out_low, late.out_high
            limited = self._saturate(register, "out", rounded, limits)
            if compared is not None:
                m.d.comb += compared.sums[lane].eq(biased)
                limited = Mux(own["compares"][0], compared.codes[lane], limited[:8])
            m.d.sync += self.codes[lane].eq(limited)
            if self.config.bit_lanes:
                self._choose_bit(m, lane, limited, late.plane)
        return m

    def _shared(self, m):
        """Return what a job says of all lanes: for each of three stages the values of each lane.

        With ``pipeline`` neighbours have registers of their own, the same ones for all stages;
        otherwise a stage has its own.
        """
        # The second shift is counted from the largest left shift, so that it is one to the right.
        least, wanted = -MAX_LEFT_SHIFT, self.settings.out_shift
        limited = Mux(wanted < least, least, wanted) - least
        values = {
            "settings": self.settings,
            "drops": self.settings.rounding == Rounding.FLOOR,
            "out_shift": limited[: (MAX_LEFT_SHIFT + 15).bit_length()],
        }
        if self.config.threshold_bits:
            values["compares"] = self.settings.threshold_bits != 0
        lanes = self.config.columns
        if self.config.pipeline:
            return {name: [spread(m, value, lanes, name)] * 3 for name, value in values.items()}
        return {
            name: [[stage] * lanes for stage in delayed(m, value, 3, name, reset_less=True)[1:]]
            for name, value in values.items()
        }

    def _choose_bit(self, m, lane, code, plane):
        """Say one bit of a code: with ``pipeline`` it is chosen before the register of codes."""
        if self.config.pipeline:
            m.d.sync += self.bits[lane].eq(code[:8].bit_select(plane, 1))
        else:
            m.d.comb += self.bits[lane].eq(self.codes[lane].bit_select(plane, 1))

    def _addend(self, register, lane, settings):
        """Return what is added between the stages: a constant, and the residual."""
        code = self.residual[8 * lane : 8 * lane + 8]
        residual = Cat(code, code[-1] & ~settings.residual_unsigned).as_signed()
        residual = Mux(settings.residual, residual, 0)
        if self.config.pipeline:
            residual = register("residual", 9, residual)
        added = residual << settings.residual_shift
        if self.config.pipeline:
            added = register("residual_shifted", 16, added)
        return register("addend", 18, self.parameters[lane].addend + added)

    def _saturate(self, register, name, value, limits):
        """Saturate; with ``pipeline`` it takes a cycle, and the register that follows another."""

        def stage(part, between):
            return register(f"{name}_{part}", len(between), between)

        return saturate(value, *limits, *([stage] if self.config.pipeline else []))

    def _shift(self, register, name, value, amount):
        """Shift right; keep the highest dropped bit, and whether lower ones were set, below."""
        sticky, rest = Const(0, 1), Cat(Const(0, 1), value).as_signed()
        bits = [[bit] for bit in range(len(amount))]
        if self.config.pipeline:
            halfway = (len(amount) + 1) // 2
            bits = [range(halfway), range(halfway, len(amount))]
        for number, group in enumerate(bits):
            part, unit = amount[group[0] : group[-1] + 1], 1 << group[0]
            for dropped in range((1 << len(group)) - 1):
                units = rest[dropped * unit : (dropped + 1) * unit]
                sticky |= (part > dropped) & units.any()
            rest >>= part << group[0]
            if self.config.pipeline and number == 0:
                held = register(f"{name}_halfway", len(value) + 2, Cat(sticky, rest))
                sticky, rest = held[0], held[1:].as_signed()
        return register(name, len(value) + 2, Cat(sticky, rest))

    def _round(self, shifted, settings, drops):
        """Return the floor of a shifted value or the integer above it.

        Two LUT4 decide in front of the carry chain: one about ties, one about the rest.
        """
        sticky, half, floor = shifted[0], shifted[1], shifted[2:].as_signed()
        tie_up = Array(
            {
                Rounding.HALF_EVEN: floor[0],
                Rounding.HALF_UP: Const(1, 1),
                Rounding.FLOOR: Const(1, 1),
                Rounding.HALF_AWAY: floor >= 0,
            }[rounding]
            for rounding in Rounding
        )
        return floor + (half & ~drops & (sticky | tie_up[settings.rounding]))
