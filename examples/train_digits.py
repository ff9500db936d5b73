"""Train the demo's network on scikit-learn's digits, and write it as ONNX.

Run it from a checkout whose environment has the development tools::

    python examples/train_digits.py

It takes a minute and needs no network. The seed is fixed: one machine makes the same file again.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from digits_layers import Array, Parameter, Tape
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

FOLDER = Path(__file__).resolve().parents[1] / "flow" / "demo"
EPOCHS, BATCH, RATE, DECAY = 30, 32, 0.1, 5e-4
CALIBRATION, TEST = 50, 360

#: Layers with weights: name, and shape of the weight.
LAYERS = {
    "stem": (16, 1, 3, 3),
    "depthwise": (16, 1, 3, 3),
    "pointwise": (32, 16, 1, 1),
    "block1": (32, 32, 3, 3),
    "block2": (32, 32, 3, 3),
    "classes": (10, 32),
}


class Network:
    """A stem, a depthwise-separable layer, a residual block and a classifier."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.weights: dict[str, Parameter] = {}
        self.scales: dict[str, Parameter] = {}
        self.shifts: dict[str, Parameter] = {}
        self.running: dict[str, Array] = {}
        for name, shape in LAYERS.items():
            deviation = (2 / np.prod(shape[1:])) ** 0.5
            self.weights[name] = Parameter(rng.normal(0, deviation, shape).astype(np.float32))
            self.scales[name] = Parameter(np.ones(shape[0], np.float32))
            self.shifts[name] = Parameter(np.zeros(shape[0], np.float32))
            statistics = [np.zeros(shape[0]), np.ones(shape[0])]
            self.running[name] = np.array(statistics, np.float32)

    def parameters(self) -> list[Parameter]:
        """Return everything that is trained."""
        return [*self.weights.values(), *self.scales.values(), *self.shifts.values()]

    def _norm(self, tape: Tape, x: Parameter, name: str) -> Parameter:
        return tape.norm(x, self.scales[name], self.shifts[name], self.running[name])

    def __call__(self, tape: Tape, images: Array) -> Parameter:
        """Return the logits of a batch."""
        weights, x = self.weights, Parameter(images)
        x = tape.relu(self._norm(tape, tape.conv(x, weights["stem"]), "stem"))
        x = tape.relu(self._norm(tape, tape.depthwise(x, weights["depthwise"]), "depthwise"))
        x = tape.relu(self._norm(tape, tape.conv(x, weights["pointwise"]), "pointwise"))
        x = short = tape.max_pool(x)
        x = tape.relu(self._norm(tape, tape.conv(x, weights["block1"]), "block1"))
        x = self._norm(tape, tape.conv(x, weights["block2"]), "block2")
        x = tape.relu(tape.add(x, short))
        return tape.dense(tape.mean(x), weights["classes"], self.shifts["classes"])


def shifted(images: Array, rng: np.random.Generator) -> Array:
    """Return images moved by up to one pixel: more training data for free."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    down, right = rng.integers(0, 3, (2, len(images)))
    moved = [
        image[:, y : y + 8, x : x + 8] for image, y, x in zip(padded, down, right, strict=True)
    ]
    return np.stack(moved)


def loss_gradient(logits: Array, labels: Array) -> Array:
    """Return the gradient of the mean cross entropy."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    gradient = powers / powers.sum(1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    return np.float32(1 / len(labels)) * gradient


def accuracy(network: Network, images: Array, labels: Array) -> float:
    """Return the share of images that a trained network recognizes."""
    logits = network(Tape(training=False), images).value
    return float((logits.argmax(1) == labels).mean())


def train(network: Network, images: Array, labels: Array, rng: np.random.Generator) -> None:
    """Train with momentum, weight decay and a cosine schedule."""
    parameters = network.parameters()
    speeds = [np.zeros_like(p.value) for p in parameters]
    for epoch in range(EPOCHS):
        rate = np.float32(RATE * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2)
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            tape = Tape(training=True)
            logits = network(tape, shifted(images[part], rng))
            logits.grad = loss_gradient(logits.value, labels[part])
            tape.backward()
            for parameter, speed in zip(parameters, speeds, strict=True):
                slope = parameter.grad + np.float32(DECAY) * parameter.value
                speed[:] = np.float32(0.9) * speed - rate * slope
                parameter.value += speed
                parameter.grad[:] = 0
        share = accuracy(network, images, labels)
        print(f"epoch {epoch + 1:2}/{EPOCHS}  training accuracy {share:.4f}")


def to_onnx(network: Network) -> onnx.ModelProto:
    """Return the network as a float model with batch norm, opset 17."""
    constants: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, values: Array) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def node(op: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv(x: str, name: str, group: int = 1) -> str:
        weight = network.weights[name].value
        edge = weight.shape[2] // 2
        terms = [x, constant(f"{name}.weight", weight)]
        x = node("Conv", terms, name, group=group, pads=[edge] * 4)
        mean, variance = network.running[name]
        named = {"scale": network.scales[name].value, "shift": network.shifts[name].value}
        named |= {"mean": mean, "variance": variance}
        terms = [x, *(constant(f"{name}.{key}", values) for key, values in named.items())]
        return node("BatchNormalization", terms, f"{name}_norm")

    x = node("Relu", [conv("image", "stem")], "stem_relu")
    x = node("Relu", [conv(x, "depthwise", group=16)], "depthwise_relu")
    x = node("Relu", [conv(x, "pointwise")], "pointwise_relu")
    x = short = node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    x = node("Relu", [conv(x, "block1")], "block1_relu")
    x = node("Add", [conv(x, "block2"), short], "sum")
    x = node("GlobalAveragePool", [node("Relu", [x], "sum_relu")], "mean")
    weight = constant("classes.weight", network.weights["classes"].value)
    bias = constant("classes.bias", network.shifts["classes"].value)
    node("Gemm", [node("Flatten", [x], "flat"), weight, bias], "digit", transB=1)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])
    digit = helper.make_tensor_value_info("digit", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "digits", [image], [digit], constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="shiftloom")
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Train, and write the model and its data."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to")
    folder = parser.parse_args().output
    rng = np.random.default_rng(2)
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    images = (digits.images[order, None] / 16).astype(np.float32)
    labels = digits.target[order]
    network = Network(rng)
    train(network, images[TEST:], labels[TEST:], rng)
    print(f"test accuracy {accuracy(network, images[:TEST], labels[:TEST]):.4f}")
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(network), folder / "digits.onnx")
    np.save(folder / "calibration.npy", images[TEST : TEST + CALIBRATION])
    np.savez_compressed(folder / "digits.npz", image=images[:TEST], label=labels[:TEST])


if __name__ == "__main__":
    main()
