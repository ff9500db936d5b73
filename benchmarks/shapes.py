"""Networks known by their shapes, with seeded random weights."""

from shiftloom.quant.graph import QuantGraph

from .net import Net

__all__ = ["SHAPES", "network", "small_resnet18"]


def _mobilenet_v1(width: float = 1.0, size: int = 224, classes: int = 1000) -> QuantGraph:
    net = Net(f"mobilenet_v1_{width:g}_{size}", (3, size, size))
    x = net.conv("image", int(32 * width), 3, 2)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    for channels, stride in [*plan, (1024, 2), (1024, 1)]:
        x = net.conv(x, net.tensors[x].shape[0], 3, stride, depthwise=True)
        x = net.conv(x, int(channels * width))
    return net.graph(net.conv(net.mean(x), classes, relu=False))


def _mobilenet_v2() -> QuantGraph:
    net = Net("mobilenet_v2", (3, 224, 224))
    x = net.conv("image", 32, 3, 2)
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    for expand, channels, count, first in [*plan, (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for index in range(count):
            source, inside, stride = x, net.tensors[x].shape[0] * expand, 1 if index else first
            x = x if expand == 1 else net.conv(x, inside)
            x = net.conv(x, inside, 3, stride, depthwise=True)
            x = net.conv(x, channels, relu=False, wide=index > 0)
            x = net.add(x, source, relu=False) if index else x
    return net.graph(net.conv(net.mean(net.conv(x, 1280)), 1000, relu=False))


def _resnet(name: str, counts: tuple[int, ...], bottleneck: bool, size: int = 224) -> QuantGraph:
    net = Net(name, (3, size, size))
    x = net.max_pool(net.conv("image", 64, 7, 2))
    for stage, count in enumerate(counts):
        for index in range(count):
            stride, width = (2 if stage and not index else 1), 64 << stage
            outside = 4 * width if bottleneck else width
            shortcut = x
            if index == 0 and (stage or bottleneck):
                shortcut = net.conv(x, outside, 1, stride, relu=False)
            if bottleneck:
                y = net.conv(net.conv(x, width), width, 3, stride)
                y = net.conv(y, outside, relu=False, wide=True)
            else:
                y = net.conv(x, width, 3, stride)
                y = net.conv(y, outside, 3, relu=False, wide=True)
            x = net.add(y, shortcut, relu=True)
    return net.graph(net.conv(net.mean(x), 1000, relu=False))


def _resnet8() -> QuantGraph:
    net = Net("resnet8", (3, 32, 32))
    x = net.conv("image", 16, 3)
    for stage in range(3):
        stride, width = min(2, 1 + stage), 16 << stage
        y = net.conv(x, width, 3, stride)
        y = net.conv(y, width, 3, relu=False, wide=True)
        x = net.add(y, net.conv(x, width, 1, stride, relu=False) if stage else x, relu=True)
    return net.graph(net.conv(net.mean(x), 10, relu=False))


def _ds_cnn() -> QuantGraph:
    net = Net("ds_cnn", (1, 49, 10))
    x = net.conv("image", 64, (10, 4), 2, pad=(4, 1, 5, 1))
    for _ in range(4):
        x = net.conv(net.conv(x, 64, 3, depthwise=True), 64)
    return net.graph(net.conv(net.mean(x), 12, relu=False))


def _squeezenet() -> QuantGraph:
    """Return version 1.1."""
    net = Net("squeezenet", (3, 224, 224))
    x = net.max_pool(net.conv("image", 64, 3, 2, pad=0), pad=0)
    for index, narrow in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        x = net.max_pool(x, pad=0) if index in (2, 4) else x
        squeezed = net.conv(x, narrow)
        x = net.concat(net.conv(squeezed, 4 * narrow), net.conv(squeezed, 4 * narrow, 3))
    return net.graph(net.mean(net.conv(x, 1000)))


def _vgg19(*, dense: bool = True) -> QuantGraph:
    net, x = Net("vgg19" if dense else "vgg19_convolutions", (3, 224, 224)), "image"
    for channels, count in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(count):
            x = net.conv(x, channels, 3)
        x = net.max_pool(x, 2, pad=0)
    if dense:
        x = net.conv(net.conv(x, 4096, 7, pad=0), 4096)
        x = net.conv(x, 1000, relu=False)
    return net.graph(x)


#: Networks by name.
SHAPES = {
    "resnet18": lambda: _resnet("resnet18", (2, 2, 2, 2), False),
    "resnet50": lambda: _resnet("resnet50", (3, 4, 6, 3), True),
    "resnet8": _resnet8,
    "ds_cnn": _ds_cnn,
    "squeezenet": _squeezenet,
    "vgg19": _vgg19,
    "vgg19_convolutions": lambda: _vgg19(dense=False),
    "mobilenet_v1": _mobilenet_v1,
    "mobilenet_v1_025_96": lambda: _mobilenet_v1(0.25, 96, 2),
    "mobilenet_v2": _mobilenet_v2,
}


def small_resnet18(size: int) -> QuantGraph:
    """Return ResNet-18, all weights in their size, for images of ``size`` rows and columns."""
    return _resnet(f"resnet18_{size}", (2, 2, 2, 2), False, size)


def network(name: str) -> QuantGraph:
    """Return a network by its name in ``SHAPES``."""
    return SHAPES[name]()
