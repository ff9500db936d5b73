"""MacEngine: the array with everything that feeds it and takes its results."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import Engine
from .accumulators import Accumulators
from .bit_array import BitArray
from .feeder import Feeder
from .interfaces import (
    accumulator_read_signature,
    job_layout,
    private_read_signature,
    window_read_signature,
)
from .mac_array import MacArray
from .weight_loader import WeightLoader, tiles_layout

__all__ = ["MacEngine"]


class MacEngine(wiring.Component):
    """Carry out MAC jobs, exactly as :func:`~shiftloom.isa.semantics.execute` says.

    A tile takes as many cycles as it has pixels, and equal tiles no fewer than the array has rows;
    no cycle is lost between tiles, nor between jobs if the next one is there in time. One job
    beyond the present one is accepted, so that its weights are loaded ahead.

    Bitwise tiles go to a bit array beside the array, if there is one, and into the same
    accumulators; there ``columns`` takes the place of ``rows``.

    To be precise, with cycles counted at the array's operands: weights arrive ``rows`` cycles after
    the previous tile's weights or 2 cycles after the previous tile's first operand, whichever is
    later; a tile begins when its weights have begun to arrive and the previous tile has ended.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    job : In(stream.Signature(job_layout(Engine.MAC)))
        Work.
    done : Out(1)
        One cycle for each job whose results are in the accumulators.
    active : Out(1)
        Operands enter the array.
    activations : Out(window_read_signature(config))
        Activation buffer.
    weights : Out(private_read_signature(config.weight_words, 8 * config.word_bytes))
        Weight buffer.
    accumulators : In(accumulator_read_signature(config))
        Results, from the half that no job is using.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        weights = private_read_signature(config.weight_words, 8 * config.word_bytes)
        super().__init__(
            {
                "job": In(stream.Signature(job_layout(Engine.MAC))),
                "done": Out(1),
                "active": Out(1),
                "activations": Out(window_read_signature(config)),
                "weights": Out(weights),
                "accumulators": In(accumulator_read_signature(config)),
            }
        )

    @classmethod
    def latency(cls, config: Config) -> int:
        """Return the cycles from the transfer of a job to its first operands, if idle."""
        return 2 + config.pipeline + Feeder.latency(config)

    @classmethod
    def done_latency(cls, config: Config) -> int:
        """Return the cycles from a job's last operands to ``done``."""
        return Accumulators.done_latency(config)

    def elaborate(self, platform):
        m = Module()
        m.submodules.feeder = feeder = Feeder(self.config)
        m.submodules.loader = loader = WeightLoader(self.config)
        m.submodules.array = array = MacArray(self.config)
        m.submodules.accumulators = accumulators = Accumulators(self.config)

        # The next job goes to the feeder and, often earlier, to the loader.
        m.d.comb += self.job.ready.eq(~feeder.job.valid & ~loader.job.valid)
        tiles = Signal(tiles_layout(self.config))
        m.d.comb += [
            tiles.addr.eq(self.job.p.work.weight_addr),
            tiles.bitwise.eq(self.job.p.loops.bitwise),
        ]
        for taker, part in ((feeder.job, self.job.p), (loader.job, tiles)):
            offer = Signal.like(taker.payload, reset_less=True)
            offered = Signal()
            m.d.comb += [taker.payload.eq(offer), taker.valid.eq(offered)]
            with m.If(self.job.valid & self.job.ready):
                m.d.sync += [offer.eq(part), offered.eq(1)]
            with m.Elif(taker.ready):
                m.d.sync += offered.eq(0)

        m.d.comb += [
            feeder.pending.eq(loader.pending),
            feeder.pends.eq(loader.pends),
            loader.swap.eq(feeder.swaps),
            loader.ends.eq(feeder.ends),
            array.operands.eq(feeder.operands),
            array.swap.eq(feeder.swap),
            array.load.eq(loader.load),
            accumulators.operation.eq(feeder.operation),
            self.done.eq(accumulators.done),
            self.active.eq(feeder.operation.valid),
        ]
        self._totals(m, feeder, loader, array, accumulators)
        connect(m, feeder.read, flipped(self.activations))
        connect(m, loader.read, flipped(self.weights))
        connect(m, flipped(self.accumulators), accumulators.read)
        return m

    def _totals(self, m, feeder, loader, array, accumulators):
        """Add the totals of the arrays; where one has operands, those of the other are 0."""
        if not self.config.bit_lanes:
            m.d.comb += accumulators.totals.eq(array.totals)
            return
        m.submodules.bit_array = bit_array = BitArray(self.config)
        m.d.comb += [
            bit_array.operands.eq(feeder.bits),
            bit_array.control.eq(feeder.control),
            bit_array.swap.eq(feeder.swap),
            bit_array.load.eq(loader.bit_load),
        ]
        for column in range(self.config.columns):
            both = array.totals[column] | bit_array.totals[column]
            m.d.comb += accumulators.totals[column].eq(both)
