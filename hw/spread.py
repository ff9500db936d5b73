"""What goes to all lanes: registers for neighbours, in a tree."""

from amaranth import Signal, Value
from amaranth.lib import data

__all__ = ["SPREAD_CYCLES", "spread"]

#: Cycles until all lanes have a value; each register leads to two of the next cycle's.
SPREAD_CYCLES = 2


def spread(m, value, lanes, name):
    """Return a value for each lane, :data:`SPREAD_CYCLES` cycles later.

    Neighbours, a quarter of all lanes, read the same register. One register would be too far from
    most of them, and synthesis makes one of registers that are equal; so one of two begins as
    zeros, the other as ones. Nobody may mind that: settings come before they count, and what is
    written into a table before the first job is written again before it is read.

    Parameters
    ----------
    m : Module
        Module that the registers become part of.
    value : Value or View
        What is spread: unsigned, or a structure.
    lanes : int
        How many lanes there are.
    name : str
        Names of registers begin with it.

    Returns
    -------
    list
        For each lane its value.

    Raises
    ------
    TypeError
        The value has a sign.
    """
    if Value.cast(value).shape().signed:
        raise TypeError(f"{name} is spread without its sign: take its bits with as_unsigned()")
    nodes = [(name, value)]
    for _ in range(SPREAD_CYCLES):
        nodes = [_child(m, *node, half) for node in nodes for half in (0, 1)]
    return [nodes[lane * len(nodes) // lanes][1] for lane in range(lanes)]


def _child(m, name, parent, half):
    """Return name and register: of two of the same parent one begins as zeros, one as ones."""
    name, bits, shape = f"{name}_{half}", Value.cast(parent), parent.shape()
    register = Signal(len(bits), name=name, init=-half % (1 << len(bits)), reset_less=True)
    m.d.sync += register.eq(bits)
    return name, shape(register) if isinstance(shape, data.Layout) else register
