"""Layers that a quantizer has closed become nodes of the network."""

from dataclasses import replace
from fractions import Fraction

from .. import float_graph as fg
from ..errors import UnsupportedError
from ..graph import Add, AveragePool, Conv, TensorType
from ..plain_nodes import kept
from ..staircases import Rule, Uniform
from .closing import close, close_average, log2_exact
from .inputs import format_of_codes
from .open_layer import OpenLayer
from .two_stages import close_second
from .values import Coded, Values

__all__ = ["emit_closed"]


def emit_closed(values: Values, layer: OpenLayer, node: fg.Staircase) -> Coded:
    """Emit a layer with its quantizer, and the pool behind both."""
    rule, exponent = node.rule, log2_exact(node.scale)
    if isinstance(rule, Uniform) and rule.high - rule.low > 255:
        rule = replace(rule, low=max(rule.low, 0 if _least(layer) >= 0 else rule.low))
    output = node.output
    shape = values.shape(layer.pool.inputs[0] if layer.pool else node.output)
    tensor = format_of_codes(shape, *rule.codes, exponent or 0)
    if rule.codes == (-(1 << 15), (1 << 15) - 1) and _only_added(values, node.output):
        tensor = TensorType(shape=shape, bits=16, exponent=exponent or 0)
    if tensor is None:
        raise UnsupportedError(
            "SL-Q114",
            f"codes from {rule.codes[0]} to {rule.codes[1]}",
            node=node.name,
            allowed="8 bits, with zero among them",
        )
    name = f"{output}/unpooled" if layer.pool else output
    values.made.emit(replace(_made(values, layer, rule, node, tensor), output=name), tensor)
    if layer.pool is not None:
        pool = replace(layer.pool, inputs=(name,), output=output)
        values.made.emit(kept(pool, tensor), replace(tensor, shape=values.shape(node.output)))
    return Coded(output, node.scale)


def _only_added(values: Values, name: str) -> bool:
    """Return whether a tensor goes into additions alone, which take 16 bits."""
    graph = values.graph
    takers = [node for node in graph.nodes if name in node.inputs]
    return name not in graph.outputs and all(isinstance(taker, fg.Add) for taker in takers)


def _made(
    values: Values, layer: OpenLayer, rule: Rule, quantizer: fg.Staircase, tensor: TensorType
) -> Add | AveragePool | Conv:
    """Return the node that makes the codes; its output has no name yet."""
    if layer.rounded:
        return _named(values, close_second(layer, rule, quantizer.name), tensor)
    pool = None if layer.add is not None else close_average(layer, rule)
    if pool is not None:
        return replace(pool, name=values.unique(pool.name))
    conv = close(layer, rule, quantizer.name)
    if layer.add is not None and _only_shifts(conv):
        unique = values.unique(layer.add.name)
        return replace(layer.add, name=unique, requantize=conv.requantize)
    if layer.add is not None:
        conv = replace(conv, inputs=(values.exact_sum(layer, quantizer.name),))
    return _named(values, conv, tensor)


def _named(values: Values, conv: Conv, tensor: TensorType) -> Conv:
    """Return a layer with a name of its own, and what its weights are worth."""
    source = values.made.tensors[conv.inputs[0]].exponent
    form = conv.requantize
    below = tensor.exponent - form.out_shift - source
    exponents = tuple(below - shift for shift in form.shift)
    if conv.thresholds is not None:
        exponents = (-source,)
    return replace(conv, name=values.unique(conv.name), weight_exponent=exponents)


def _least(layer: OpenLayer) -> Fraction | float:
    """Return the least value that can occur."""
    chain, values = layer.chain, []
    for channel, (gain, offset) in enumerate(zip(chain.gain, chain.offset, strict=True)):
        ends = [gain * int(bound[channel]) + offset for bound in layer.reach]
        values.append(max(min(ends), chain.low[channel]))
    return min(values)


def _only_shifts(conv: Conv) -> bool:
    """Return whether a layer on sums does nothing that an addition cannot do itself."""
    plain = conv.thresholds is None and not conv.bias.any() and bool((conv.weight == 1).all())
    return plain and len(conv.requantize.shift) == 1
