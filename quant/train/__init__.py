"""Trainable quantizers of four papers, and the training of a network with them; needs PyTorch."""

try:
    import torch as _torch
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "training needs PyTorch, which is not installed: pip install 'shiftloom[train]'",
        name="torch",
    ) from error

__all__: list[str] = []

del _torch
