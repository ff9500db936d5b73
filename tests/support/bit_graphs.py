"""Random networks of few bits: every kind of weights and codes that the bit array takes."""

import numpy as np

from shiftloom.compiler import planes
from shiftloom.isa.requantize import Requantize
from shiftloom.isa.thresholds import Thresholds
from shiftloom.quant.graph import Conv, EdgeLayout, QuantGraph, TensorType

__all__ = ["WIDE_WEIGHTS", "bit_layer", "prefer_bits", "random_bit_graph", "wide_bit_graph"]

#: Weights by their name.
WEIGHTS = {
    "binary": lambda rng, shape: rng.choice([-1, 1], shape),
    "scaled": lambda rng, shape: rng.choice([-3, 3], shape),
    "ternary": lambda rng, shape: rng.choice([-1, 0, 1], shape),
    "2 bits": lambda rng, shape: rng.integers(-2, 2, shape),
    "unsigned": lambda rng, shape: rng.integers(0, 4, shape),
    "4 bits": lambda rng, shape: rng.integers(-8, 8, shape),
}
#: Beside those, weights of up to all bits.
WIDE_WEIGHTS = WEIGHTS | {
    "5 bits": lambda rng, shape: rng.integers(-16, 16, shape),
    "6 bits": lambda rng, shape: rng.integers(-32, 32, shape),
    "7 bits, unsigned": lambda rng, shape: rng.integers(0, 128, shape),
    "8 bits": lambda rng, shape: rng.integers(-128, 128, shape),
}
#: Values of bipolar codes.
BIPOLAR = [(1,), (1,), (2, 1), (3, 1), (5, 2), (4, 1)]


def prefer_bits(monkeypatch):
    """Let the bit array take all that it can, whatever it costs."""
    known = planes.engine_cycles

    def costs(graph, node, config):
        pair = known(graph, node, config)
        return pair and (1 << 40, pair[1])

    monkeypatch.setattr(planes, "engine_cycles", costs)


def _bipolar(rng, outputs, spread):
    """Return a bipolar format and thresholds that make nothing but its levels."""
    values = BIPOLAR[rng.integers(len(BIPOLAR))]
    total = sum(values)
    form = {"bits": (2 * total).bit_length() + 1, "signed": True, "bipolar": values}
    levels = TensorType(shape=(1, 1, 1), **form).levels
    steps = np.sort(rng.integers(-spread, spread, (outputs, len(levels) - 1)), axis=1)
    repeated = np.repeat(steps, np.diff(levels), axis=1)
    return form, {"thresholds": Thresholds(values=repeated.astype(np.int32), low=-total)}


def _compared(rng, outputs, spread):
    bits, signed = int(rng.integers(1, 5)), bool(rng.integers(2))
    values = np.sort(rng.integers(-spread, spread, (outputs, (1 << bits) - 1)), axis=1)
    low = -(1 << (bits - 1)) if signed else 0
    bank = Thresholds(values=values.astype(np.int32), low=low)
    return {"bits": bits, "signed": signed}, {"thresholds": bank}


def _shifted(rng, outputs, spread):
    form = {"bits": int(rng.integers(2, 5)), "signed": bool(rng.integers(2))}
    tensor = TensorType(shape=(1, 1, 1), **form)
    limits = {"low": tensor.low, "high": tensor.high}
    limits |= {f"out_{name}": value for name, value in limits.items()}
    shift = max(0, spread.bit_length() - 2)
    return form, {"requantize": Requantize(shift=(shift,), **limits)}


def _wide(rng, outputs, spread):
    form = {"bits": int(rng.integers(5, 9)), "signed": bool(rng.integers(2))}
    tensor = TensorType(shape=(1, 1, 1), **form)
    limits = {"low": tensor.low, "high": tensor.high}
    limits |= {f"out_{name}": value for name, value in limits.items()}
    shift = max(0, (2 * spread).bit_length() - form["bits"])
    return form, {"requantize": Requantize(shift=(shift,), **limits)}


def bit_layer(name, source, weight, rng, *, make, stride=1, padding=0):
    """Return a convolution of the tensor ``(name, type)`` and the type of its output."""
    outputs, _, height, width = weight.shape
    tensor_name, tensor = source
    sizes = [
        (size + 2 * padding - k) // stride + 1
        for size, k in zip(tensor.shape[1:], (height, width), strict=True)
    ]
    largest = int(np.abs(weight.astype(int)).sum(axis=(1, 2, 3)).max())
    spread = max(4, largest * max(-tensor.low, tensor.high) // 4)
    form, fields = make(rng, outputs, spread)
    fields = {"requantize": Requantize()} | fields
    node = Conv(
        name=name,
        inputs=(tensor_name,),
        output=f"{name}_out",
        weight=weight,
        weight_exponent=(0,),
        bias=rng.integers(-spread, spread, outputs).astype(np.int32),
        mid_bias=np.zeros(outputs, np.int16),
        stride=(stride, stride),
        padding=(padding,) * 4,
        **fields,
    )
    return node, TensorType(shape=(outputs, *sizes), **form)


def random_bit_graph(seed, most=160):
    """Return a random chain of convolutions behind an 8-bit input."""
    return _chain(seed, most, WEIGHTS, (_bipolar, _bipolar, _compared, _compared, _shifted))


def wide_bit_graph(seed, most=90):
    """Return a random chain of convolutions of up to eight bits, most of more than four."""
    return _chain(seed, most, WIDE_WEIGHTS, (_bipolar, _compared, _shifted, _wide, _wide, _wide))


def _chain(seed, most, weights, makers):
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 40)), int(rng.integers(3, 9)), int(rng.integers(3, 9))
    tensors = {"x": TensorType(shape=shape, bits=8, signed=bool(rng.integers(2)))}
    nodes, last = [], "x"
    for index in range(int(rng.integers(2, 5))):
        channels, height, width = tensors[last].shape
        kernel = min(int(rng.integers(1, 4)), height, width)
        shape = int(rng.integers(1, most)), channels, kernel, kernel
        kind = sorted(weights)[rng.integers(len(weights))]
        node, tensor = bit_layer(
            f"layer{index}",
            (last, tensors[last]),
            weights[kind](rng, shape).astype(np.int8),
            rng,
            make=makers[rng.integers(len(makers))],
            stride=int(rng.choice([1, 1, 2])),
            padding=int(rng.integers(0, kernel)),
        )
        nodes.append(node)
        last = node.output
        tensors[last] = tensor
    edges = {name: EdgeLayout(shape=(1, *tensors[name].shape)) for name in ("x", last)}
    return QuantGraph(
        name="bits",
        inputs=("x",),
        outputs=(last,),
        tensors=tensors,
        nodes=tuple(nodes),
        edges=edges,
    )
