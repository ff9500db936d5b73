"""ThresholdUnit: from exact sums to narrow codes in all lanes, by comparisons."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..isa.config import PARAMETER_LANE_BYTES, Config
from ..isa.instructions import Opcode
from .interfaces import fields_layout
from .spread import SPREAD_CYCLES, spread

__all__ = ["ThresholdUnit", "pair_layout", "table_write_layout"]


def pair_layout() -> data.StructLayout:
    """Return one lane of a threshold word."""
    layout = data.StructLayout({"even": signed(32), "odd": signed(32)})
    assert layout.size == 8 * PARAMETER_LANE_BYTES
    return layout


def table_write_layout(config: Config) -> data.StructLayout:
    """Return a threshold word on its way into the tables; ``word`` counts them from 0.

    With ``pipeline``, ``valid`` and ``word`` come :data:`~.spread.SPREAD_CYCLES` cycles before
    their ``pairs``: they go to all lanes.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "word": max(1, config.threshold_bits - 1),
            "pairs": data.ArrayLayout(pair_layout(), config.columns),
        }
    )


class ThresholdUnit(wiring.Component):
    """Count the thresholds that a sum reaches, one sum per lane each cycle, by binary search.

    Thresholds are sorted, so as many comparisons as a code has bits find how many of them are
    reached. Each comparison is a stage with a table of its own: what the stages before have found
    is the address. The last stage holds the thresholds of even index, the one before it every
    second of those between, and so on; codes of fewer bits leave out the first stages. Nothing
    stalls. With ``pipeline`` a stage takes two cycles: it looks up its threshold, then compares.

    Parameters
    ----------
    config : Config
        Number of lanes, and of stages.

    Members
    -------
    settings : In(fields_layout(Opcode.VECTOR_REQUANTIZE))
        Must hold still while sums are inside, with ``pipeline`` from two cycles before.
    write : In(table_write_layout(config))
        Fills the tables; a word counts for sums that come later.
    sums : In(data.ArrayLayout(signed(32), config.columns))
        Biased.
    codes : Out(data.ArrayLayout(8, config.columns))
        The smallest code plus the thresholds reached.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "settings": In(fields_layout(Opcode.VECTOR_REQUANTIZE)),
                "write": In(table_write_layout(config)),
                "sums": In(data.ArrayLayout(signed(32), config.columns)),
                "codes": Out(data.ArrayLayout(8, config.columns)),
            }
        )

    @staticmethod
    def write_lead(config: Config) -> int:
        """Return the cycles from a word's ``valid`` and ``word`` to its ``pairs``."""
        return SPREAD_CYCLES * config.pipeline

    @staticmethod
    def latency(config: Config) -> int:
        """Return the cycles from sums to codes.

        They are four comparisons, an addition, and one to come with shifted codes.
        """
        return 6 + 4 * config.pipeline

    def elaborate(self, platform):
        m = Module()
        stages, pipeline = self.config.threshold_bits, self.config.pipeline
        lanes, low = self.config.columns, self.settings.out_low.as_unsigned()
        enabled = Cat(self.settings.threshold_bits >= stages - stage for stage in range(stages))
        written = Cat(self.write.word, self.write.valid)
        enables, lows, writes = [enabled] * lanes, [low] * lanes, [written] * lanes
        if pipeline:
            enables = spread(m, enabled, lanes, "enabled")
            lows = spread(m, low, lanes, "low")
            writes = spread(m, written, lanes, "writes")
        for lane in range(lanes):

            def register(name, value, lane=lane):
                signal = Signal(value.shape(), name=f"{name}_{lane}", reset_less=True)
                m.d.sync += signal.eq(value)
                return signal

            value, found = self.sums[lane], Const(0, 0)
            for stage in range(stages):
                threshold = self._table(m, lane, stage, found, writes[lane])
                if pipeline:
                    # The first stage has nothing to look up, but sums have others who want them.
                    threshold = register(f"threshold_{stage}", threshold) if stage else threshold
                    value = register(f"waiting_value_{stage}", value)
                    found = register(f"waiting_found_{stage}", found)
                reached = enables[lane][stage] & (value >= threshold)
                found = register(f"found_{stage}", Cat(reached, found))
                if stage < stages - 1:
                    value = register(f"value_{stage}", value)
            for cycle in range(stages * (1 + pipeline), self.latency(self.config) - 1):
                found = register(f"found_late_{cycle}", found)
            m.d.sync += self.codes[lane].eq(lows[lane] + found)
        return m

    def _table(self, m, lane, stage, addr, writes):
        """Make the table of a stage and lane; return the threshold at an address."""
        enable, write_addr, half = self._place(stage, writes[-1], writes[:-1])
        threshold = self.write.pairs[lane][half]
        if stage == 0:
            only = Signal.like(threshold, name=f"threshold_{lane}", reset_less=True)
            with m.If(enable):
                m.d.sync += only.eq(threshold)
            return only
        table = memory.Memory(shape=threshold.shape(), depth=1 << stage, init=[])
        m.submodules[f"table_{stage}_{lane}"] = table
        write, read = table.write_port(), table.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(enable),
            write.addr.eq(write_addr),
            write.data.eq(threshold),
            read.addr.eq(addr),
        ]
        return read.data

    def _place(self, stage, valid, word):
        """Return whether a stage takes a threshold of the word at hand, where to, and which.

        Word w brings thresholds 2w and 2w + 1. The last stage takes the even ones, place by place.
        Of the odd ones, the stage before it takes those whose w ends in 0, the next one those whose
        w ends in 01, then 011; the bits above are the place. What no stage takes is not used.
        """
        between = self.config.threshold_bits - 2 - stage
        if between < 0:
            return valid, word, "even"
        ends = word[: between + 1] == (1 << between) - 1
        return valid & ends, word[between + 1 :], "odd"
