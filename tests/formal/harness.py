"""What designs for proofs are made of."""

import inspect
import sys
import types

from amaranth import Fragment, Module, Mux, Signal
from amaranth.hdl import Assume, Value

__all__ = ["broken", "clamp", "delayed", "holds", "inner", "opened", "still"]


def broken(block: type, was: str, instead: str) -> type:
    """Return a class as it is after a change in the source text of its module."""
    module = sys.modules[block.__module__]
    source = inspect.getsource(module)
    assert source.count(was) == 1, was
    changed = types.ModuleType(module.__name__)
    changed.__package__ = module.__package__
    exec(compile(source.replace(was, instead), module.__file__, "exec"), changed.__dict__)
    return getattr(changed, block.__name__)


def opened(m: Module, name: str, block, platform=None):
    """Add a block, and return what :func:`inner` looks into."""
    fragment = Fragment.get(block, platform)
    m.submodules[name] = fragment
    return fragment


def inner(fragment, name: str) -> Signal:
    """Return the signal of a name that an elaborated block itself drives."""
    driven = {
        signal.name: signal
        for statements in fragment.statements.values()
        for statement in statements
        for signal in statement._lhs_signals()  # not public; the version is bounded below 0.6
    }
    return driven[name]


def delayed(m: Module, value, cycles: int, name: str):
    """Return a value as it was some cycles ago."""
    for age in range(cycles):
        earlier = Signal(Value.cast(value).shape(), name=f"{name}_{age}", reset_less=True)
        m.d.sync += earlier.eq(value)
        value = earlier
    return value


def still(m: Module, value, name: str) -> None:
    """Assume that a value never changes."""
    value, first = Value.cast(value), Signal(name=f"{name}_first", init=1)
    before = Signal(len(value), name=f"{name}_before")
    m.d.sync += [first.eq(0), before.eq(value)]
    m.d.comb += Assume(first | (before == value))


def clamp(value, low, high):
    """Return the value in a range that is nearest to another."""
    return Mux(value < low, low, Mux(value > high, high, value))


def holds(m: Module, stream, statement, name: str, unless=0) -> None:
    """State that what a stream offers stays until it is taken.

    Parameters
    ----------
    m : Module
        Where it is stated.
    stream : stream.Interface
        Which one.
    statement : Assert or Assume
        Whether it is claimed or given.
    name : str
        In messages.
    unless : Value
        What is offered may be withdrawn while this is set.
    """
    waits, payload = Signal(name=f"{name}_waits"), Value.cast(stream.payload)
    before = Signal(len(payload), name=f"{name}_before", reset_less=True)
    m.d.sync += [waits.eq(stream.valid & ~stream.ready), before.eq(payload)]
    kept = stream.valid & (payload == before)
    m.d.comb += statement(~waits | kept | unless, f"{name} holds what it offers")
