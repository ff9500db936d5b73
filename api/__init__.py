"""Shiftloom: generate, simulate and verify quantized neural-network accelerators.

The verbs are ``quantize``, ``compile``, ``simulate``, ``verify``, ``report``, ``explore``,
``generate``, ``export``, ``build``, ``run`` and ``check``. They are loaded when they are used
first, so that importing the package takes no time.
"""

from importlib import import_module, metadata
from typing import Any

__all__ = [
    "Config",
    "__version__",
    "build",
    "check",
    "compile",
    "explore",
    "export",
    "generate",
    "load_config",
    "quantize",
    "report",
    "run",
    "simulate",
    "verify",
]

_HOMES = {
    "Config": "isa.config",
    "build": "flow.build",
    "check": "flow.check",
    "compile": "flow.compile",
    "explore": "flow.explore",
    "export": "flow.export",
    "generate": "flow.generate",
    "load_config": "isa.config",
    "quantize": "flow.quantize",
    "report": "flow.report",
    "run": "flow.run",
    "simulate": "flow.simulate",
    "verify": "flow.verify",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = metadata.version("shiftloom")
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
