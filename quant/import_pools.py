"""Import of pools and means; see ``import_layers`` for the contract."""

from dataclasses import replace

from .errors import UnsupportedError
from .float_graph import AveragePool, MaxPool, Reshape, Transpose
from .import_context import Call, Context
from .import_windows import WindowShape, window_shape

__all__ = ["average_pool", "global_pool", "max_pool", "reduce_mean"]


def _reason(context: Context, call: Call) -> str | None:
    rank = len(context.shape(call.input(0)))
    return None if rank == 4 else f"only 2-D pools run on the machine, not {rank - 2}-D"


def _kernel(call: Call) -> tuple[int, int]:
    kernel = tuple(int(v) for v in call.get("kernel_shape", ()))
    if len(kernel) != 2:
        raise UnsupportedError("SL-Q107", f"kernel_shape {kernel}", node=call.name)
    return kernel[0], kernel[1]


def max_pool(context: Context, call: Call) -> str | None:
    """Import MaxPool."""
    if reason := _reason(context, call):
        return reason
    if len(call.outputs) > 1 and call.outputs[1]:
        raise UnsupportedError(
            "SL-Q109", "the indices of MaxPool", node=call.name, fix="use its first output only"
        )
    shape = context.shape(call.input(0))
    window = window_shape(call, shape[2:], _kernel(call))
    node = MaxPool(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        kernel=window.kernel,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
    )
    context.emit(node, (*shape[:2], *window.output))
    return None


def average_pool(context: Context, call: Call) -> str | None:
    """Import AveragePool."""
    if reason := _reason(context, call):
        return reason
    shape = context.shape(call.input(0))
    window = window_shape(call, shape[2:], _kernel(call))
    include = bool(call.get("count_include_pad", 0))
    if include and window.extra:
        return "ceil_mode together with count_include_pad"
    if not include and window.output == (1, 1) and window.dilation == (1, 1):
        window = _inside(window, shape)
    node = AveragePool(
        name=call.name,
        inputs=(call.input(0),),
        output=call.output,
        kernel=window.kernel,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        include_padding=include or not any(window.padding),
    )
    context.emit(node, (*shape[:2], *window.output))
    return None


def _inside(window: WindowShape, shape: tuple[int, ...]) -> WindowShape:
    """Return a single window without the part that lies in the padding."""
    top, left = window.padding[:2]
    kernel = min(shape[2], window.kernel[0] - top), min(shape[3], window.kernel[1] - left)
    return replace(window, kernel=kernel, padding=(0, 0, 0, 0))


def global_pool(context: Context, call: Call) -> str | None:
    """Import GlobalAveragePool and GlobalMaxPool."""
    if reason := _reason(context, call):
        return reason
    _emit_global(context, call.op == "GlobalMaxPool", call.name, call.input(0), call.output)
    return None


def _emit_global(context: Context, maximum: bool, name: str, source: str, output: str) -> None:
    size = context.shape(source)
    kernel, shape = (size[2], size[3]), (*size[:2], 1, 1)
    if maximum:
        context.emit(
            MaxPool(name=name, inputs=(source,), output=output, kernel=kernel, stride=(1, 1)), shape
        )
        return
    node = AveragePool(
        name=name,
        inputs=(source,),
        output=output,
        kernel=kernel,
        stride=(1, 1),
        include_padding=True,
    )
    context.emit(node, shape)


def reduce_mean(context: Context, call: Call) -> str | None:
    """Import ReduceMean over height and width, in either layout, as a global average pool."""
    shape = context.shape(call.input(0))
    axes = context.integers(call, 1, "axes") or tuple(range(len(shape)))
    axes = tuple(sorted(axis % len(shape) for axis in axes))
    if len(shape) != 4 or axes not in ((2, 3), (1, 2)):
        return "only means over height and width run on the machine"
    source, name = call.input(0), f"{call.output}/pool"
    if axes == (1, 2):
        turned = f"{call.output}/nchw"
        context.emit(
            Transpose(name=turned, inputs=(source,), output=turned, permutation=(0, 3, 1, 2)),
            (shape[0], shape[3], shape[1], shape[2]),
        )
        source = turned
    _emit_global(context, False, call.name, source, name)
    keep = [1 if axis in axes else size for axis, size in enumerate(shape)]
    kept = [size for axis, size in enumerate(shape) if axis not in axes]
    result = keep if call.get("keepdims", 1) else kept
    context.emit(
        Reshape(name=f"{call.name}/shape", inputs=(name,), output=call.output), tuple(result)
    )
    return None
