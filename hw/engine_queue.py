"""EngineQueue: an engine's instructions in order, each held until what it waits for is done."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa.instructions import ENGINES, INDEX_BITS, Engine
from .interfaces import instruction_layout, job_layout, job_parts
from .stream_queue import StreamQueue
from .tokens import COUNT_BITS

__all__ = ["QUEUE_DEPTH", "EngineQueue"]

#: Instructions that wait in front of one engine.
QUEUE_DEPTH = 16


class EngineQueue(wiring.Component):
    """Turn one engine's instructions into jobs.

    Settings take one cycle each at the head of the queue and stay in force. Work leaves as a job
    when the completed counts have reached its waits, at most one each cycle, in order; with
    ``pipeline`` one in two cycles, and one cycle after the counts and after its engine.

    Parameters
    ----------
    engine : Engine
        Whose queue it is.
    pipeline : int
        That of the configuration.

    Members
    -------
    i : In(stream.Signature(instruction_layout()))
        Instructions of this engine only.
    completed : In(COUNT_BITS).array(4)
        Work that each engine has completed.
    job : Out(stream.Signature(job_layout(engine)))
        Settings in force and work.
    """

    #: Cycles from the transfer on ``i`` to the first cycle its job is valid, if nothing waits.
    latency = 2

    def __init__(self, engine: Engine, pipeline: int = 0) -> None:
        self.engine, self.pipeline = engine, pipeline
        super().__init__(
            {
                "i": In(stream.Signature(instruction_layout())),
                "completed": In(COUNT_BITS).array(len(ENGINES)),
                "job": Out(stream.Signature(job_layout(engine))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parts = job_parts(self.engine)
        layouts = {name: self.job.p[name].shape() for name in parts}
        width = max(layout.size for layout in layouts.values())
        held = data.StructLayout({"bits": width, "index": INDEX_BITS, "kind": len(parts)})

        m.submodules.queue = queue = StreamQueue(held, QUEUE_DEPTH)
        m.d.comb += [
            queue.i.p.bits.eq(self.i.p.bits),
            queue.i.p.index.eq(self.i.p.index),
            queue.i.p.kind.eq(Cat(self.i.p.bits[:8] == opcode for opcode in parts.values())),
            queue.i.valid.eq(self.i.valid),
            self.i.ready.eq(queue.i.ready),
        ]

        head = {
            name: data.View(layout, queue.o.p.bits[: layout.size])
            for name, layout in layouts.items()
        }
        # What an instruction is, is known before it enters: at the head much hangs on it.
        work, kinds = head["work"], dict(zip(parts, queue.o.p.kind, strict=True))
        is_work = kinds["work"]
        waits = [work[f"wait_{engine.name.lower()}"] for engine in ENGINES]
        met = [count >= wait for count, wait in zip(self.completed, waits, strict=True)]
        all_met = met[0] & met[1] & met[2] & met[3]
        starts = self._starts(m, is_work & queue.o.valid & all_met, queue.o.ready)
        m.d.comb += [
            self.job.valid.eq(starts),
            self.job.p.work.eq(work),
            self.job.p.index.eq(queue.o.p.index),
            queue.o.ready.eq(~is_work | (starts & (self.pipeline | self.job.ready))),
        ]
        for name, view in head.items():
            if name != "work":
                settings = Signal(view.shape(), name=name, reset_less=True)
                with m.If(queue.o.valid & kinds[name] & ~is_work):
                    m.d.sync += settings.eq(view)
                m.d.comb += self.job.p[name].eq(settings)
        return m

    def _starts(self, m, may, moves):
        """Return whether the head is work that may start.

        With ``pipeline``, whether it could in the cycle before, and its engine was ready: both stay
        so until it does.
        """
        if not self.pipeline:
            return may
        starts = Signal()
        m.d.sync += starts.eq(may & self.job.ready & ~moves)
        return starts
