"""TapUnit: sums or maxima over the taps of a kernel, one lane per channel."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import Config
from .multiplier import Multiplier
from .spread import spread

__all__ = ["WINDOW_STEPS", "TapUnit", "tap_step_layout"]

#: Kernel steps whose earlier columns are remembered.
WINDOW_STEPS = 16

#: What a maximum is over nothing at all.
_NOTHING, _WIDE_NOTHING = -(1 << 9), -(1 << 30)


def tap_step_layout() -> data.StructLayout:
    """Return what is said about one input word."""
    return data.StructLayout(
        {
            "valid": 1,
            "inside": 1,  # the feature map; otherwise the word is padding
            "step": range(WINDOW_STEPS),  # of the kernel
            "row_begins": 1,  # no column of this row came before
            "first": 1,  # step of the kernel
        }
    )


class TapUnit(wiring.Component):
    """Combine words with the words of earlier columns at the same kernel step.

    Each word is the newest of ``vector_taps`` columns; the earlier ones come from a memory with a
    place for each of ``WINDOW_STEPS`` kernel steps. In kernels of more steps all taps but the last
    must be zero. Columns before the first of a row count as padding. Nothing stalls.

    Parameters
    ----------
    config : Config
        Lanes, and taps of each.

    Members
    -------
    maximum, unsigned : In(1)
        Operation and type of the words; must hold still while words are inside, and with
        ``pipeline`` two cycles before.
    step : In(tap_step_layout())
        Comes with its word.
    word : In(8 * config.word_bytes)
        Codes.
    taps : In(8 * config.parameter_word_bytes)
        Tap word of the kernel step, one cycle after its word.
    totals : Out(data.ArrayLayout(signed(32), config.columns))
        Sums or maxima since the last first kernel step.
    """

    #: Cycles from a word to totals that contain it.
    latency = 5

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "maximum": In(1),
                "unsigned": In(1),
                "step": In(tap_step_layout()),
                "word": In(8 * config.word_bytes),
                "taps": In(8 * config.parameter_word_bytes),
                "totals": Out(data.ArrayLayout(signed(32), config.columns)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, taps = self.config.columns, self.config.vector_taps
        steps = [self.step]
        for stage in range(1, self.latency):
            steps.append(Signal.like(self.step, name=f"step_{stage}"))
            m.d.sync += steps[-1].eq(steps[-2])

        # What a job says goes to all lanes, and is known before the words are here.
        unsigned, maximum, lowest = self._shared(m, lanes)
        # Words come late in a cycle: the buffer's memory and a choice of banks are before them.
        word = Signal.like(self.word, reset_less=True)
        m.d.sync += word.eq(self.word)
        newest = Signal(data.ArrayLayout(signed(9), lanes))
        for lane in range(lanes):
            code = word[8 * lane : 8 * lane + 8]
            value = Cat(code, code[-1] & ~unsigned[lane]).as_signed()
            m.d.comb += newest[lane].eq(Mux(steps[1].inside, value, lowest[lane]))

        columns = [newest]
        if taps > 1:
            history = data.ArrayLayout(newest.shape(), taps - 1)
            m.submodules.window = window = memory.Memory(shape=history, depth=WINDOW_STEPS, init=[])
            read, write = window.read_port(domain="comb"), window.write_port()
            earlier = Signal(history)
            with m.If(steps[1].row_begins):
                for column in earlier:
                    m.d.comb += [v.eq(low) for v, low in zip(column, lowest, strict=True)]
            with m.Else():
                m.d.comb += earlier.eq(read.data)
            columns = [*earlier, newest]
            m.d.comb += [
                read.addr.eq(steps[1].step),
                write.addr.eq(steps[1].step),
                write.en.eq(steps[1].valid),
                write.data.eq(Cat(columns[1:])),
            ]
        for lane in range(lanes):
            operands = [column[lane] for column in columns]
            total, largest = self._lane(m, lane, operands, steps)
            m.d.comb += self.totals[lane].eq(Mux(maximum[lane], largest, total))
        return m

    def _shared(self, m, lanes):
        """Return for each lane: are words unsigned, is it a maximum, and what lies outside."""
        signed_maximum = self.maximum & ~self.unsigned
        values = {
            "is_unsigned": self.unsigned,
            "is_maximum": self.maximum,
            "signed_maximum": signed_maximum,
        }
        if self.config.pipeline:
            shared = [spread(m, value, lanes, name) for name, value in values.items()]
        else:
            shared = []
            for name, value in values.items():
                signal = Signal(name=name, reset_less=True)
                m.d.comb += signal.eq(value)
                shared.append([signal] * lanes)
        unsigned, maximum, signed_maximum = shared
        return unsigned, maximum, [Mux(each, -128, 0) for each in signed_maximum]

    def _lane(self, m, lane, operands, steps):
        """Multiply, combine and accumulate in one lane; return its sum and its maximum.

        Both are kept, each in registers of its own.
        """
        products, candidates = [], []
        for index, operand in enumerate(operands):

            def register(name, shape, index=index):
                return Signal(shape, name=f"{name}_{lane}_{index}", reset_less=True)

            value, tap = register("operand", signed(9)), register("tap", signed(9))
            position = 64 * lane + 16 * index
            given = self.taps[position : position + 9].as_signed()
            m.d.sync += [value.eq(operand), tap.eq(given)]
            if self.config.pipeline:
                product = self._multiply(m, f"multiplier_{lane}_{index}", operand, given)
            else:
                product = register("product", signed(18))
                m.d.sync += product.eq(value * tap)
            products.append(product)
            candidates.append((tap != 0, value))

        summed = Signal(signed(20), name=f"summed_{lane}", reset_less=True)
        total = Signal(signed(32), name=f"total_{lane}", reset_less=True)
        largest = Signal(signed(10), name=f"largest_{lane}", reset_less=True)
        best, first = self._best(m, lane, candidates), steps[-1].first
        m.d.sync += summed.eq(sum(products))
        with m.If(steps[-1].valid):
            m.d.sync += total.eq(Mux(first, summed, total + summed))
        with m.If(steps[-1].valid & (first | (best > largest))):
            m.d.sync += largest.eq(best)
        empty = largest[-1] & ~largest[-2]  # all others are narrower than ``_NOTHING``
        return total, Mux(empty, _WIDE_NOTHING, largest)

    def _multiply(self, m, name, operand, tap):
        """Return a product, two cycles later, from a multiplier with registers of its own."""
        m.submodules[name] = multiplier = Multiplier(9)
        m.d.comb += [multiplier.a.eq(operand), multiplier.b.eq(tap)]
        return multiplier.product

    def _best(self, m, lane, candidates):
        """Return the largest value that a tap allows, two cycles later."""
        pairs = [candidates[:2], candidates[2:]]
        halves = []
        for number, pair in enumerate(pair for pair in pairs if pair):
            half = Signal(10, name=f"half_{lane}_{number}", reset_less=True)
            m.d.sync += half.eq(Cat(_larger(pair)))
            halves.append((half[0], half[1:].as_signed()))
        allowed, value = _larger(halves)
        best = Signal(signed(10), name=f"best_{lane}", reset_less=True)
        m.d.sync += best.eq(Mux(allowed, value, _NOTHING))
        return best


def _larger(candidates):
    """Return whether one or two values count at all, and the larger one that does."""
    if len(candidates) == 1:
        return candidates[0]
    (counts, value), (other_counts, other) = candidates
    takes_other = other_counts & (~counts | (other > value))
    return counts | other_counts, Mux(takes_other, other, value)
