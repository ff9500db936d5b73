"""Compute: the buffers and both engines, everything but memory traffic and control."""

from amaranth import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..isa.config import Config
from ..isa.instructions import Engine
from .activation_buffer import ActivationBuffer
from .interfaces import job_layout, read_signature, write_layout, write_trace_signature
from .mac_engine import MacEngine
from .parameter_buffer import ParameterBuffer
from .vector import Vector
from .word_buffer import WordBuffer

__all__ = ["Compute"]


class Compute(wiring.Component):
    """Carry out MAC and VECTOR jobs on the on-chip buffers.

    Both engines run concurrently and know nothing of each other: whoever offers a job has checked
    that the work it depends on is done. ``load_weight`` and ``load_parameter`` are always ready;
    ``load_activation`` waits while the vector unit writes to the same bank.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    mac_job : In(stream.Signature(job_layout(Engine.MAC)))
        Work for the array.
    vector_job : In(stream.Signature(job_layout(Engine.VECTOR)))
        Work for the vector unit.
    mac_done, vector_done : Out(1)
        One cycle for each job that is complete: all it wrote can be read.
    mac_active, vector_active : Out(1)
        An operand entered in this cycle.
    load_activation, load_weight, load_parameter : In(stream.Signature(write_layout(...)))
        Words for the buffers; a parameter word is eight words.
    store_read : In(read_signature(config.activation_words, config))
        Words of the activation buffer.
    will_write : Out(1)
        The vector unit writes in the next cycle.
    trace_write : Out(write_trace_signature(config))
        Words that the vector unit writes.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        activation = write_layout(config.activation_words, config)
        weight = write_layout(config.weight_words, config)
        parameter = write_layout(8 * config.parameter_words, config)
        super().__init__(
            {
                "mac_job": In(stream.Signature(job_layout(Engine.MAC))),
                "vector_job": In(stream.Signature(job_layout(Engine.VECTOR))),
                "mac_done": Out(1),
                "vector_done": Out(1),
                "mac_active": Out(1),
                "vector_active": Out(1),
                "load_activation": In(stream.Signature(activation)),
                "load_weight": In(stream.Signature(weight)),
                "load_parameter": In(stream.Signature(parameter)),
                "store_read": In(read_signature(config.activation_words, config)),
                "will_write": Out(1),
                "trace_write": Out(write_trace_signature(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.activations = activations = ActivationBuffer(config)
        m.submodules.weights = weights = WordBuffer(config.weight_words, config)
        m.submodules.parameters = parameters = ParameterBuffer(config)
        m.submodules.mac = mac = MacEngine(config)
        m.submodules.vector = vector = Vector(config)

        connect(m, flipped(self.mac_job), mac.job)
        connect(m, flipped(self.vector_job), vector.job)
        m.d.comb += [
            self.mac_done.eq(mac.done),
            self.mac_active.eq(mac.active),
            self.vector_done.eq(vector.done),
            self.vector_active.eq(vector.active),
        ]
        connect(m, mac.activations, activations.feeder)
        connect(m, mac.weights, weights.read)
        connect(m, vector.read, activations.vector)
        connect(m, vector.write, activations.vector_write)
        m.d.comb += self.will_write.eq(vector.will_write)
        connect(m, vector.accumulators, mac.accumulators)
        connect(m, vector.parameters, parameters.read)
        connect(m, flipped(self.load_activation), activations.load_write)
        connect(m, flipped(self.load_weight), weights.write)
        connect(m, flipped(self.load_parameter), parameters.write)
        connect(m, flipped(self.store_read), activations.store)
        m.d.comb += [
            self.trace_write.valid.eq(vector.write.valid),
            self.trace_write.addr.eq(vector.write.p.addr),
            self.trace_write.data.eq(self._written(vector.write.p)),
        ]
        return m

    def _written(self, write):
        """Return the bytes that are written, and 0 for the others."""
        if not self.config.bit_lanes:
            return write.data
        return write.data & Cat(byte.replicate(8) for byte in write.mask)
