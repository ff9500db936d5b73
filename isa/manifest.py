"""Values of a JSON text, read as the types that annotations name, or refused."""

import types
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin

__all__ = ["ManifestError", "read"]


class ManifestError(ValueError):
    """A value of another type than the annotation; the message says where it lies."""


def read(kind: Any, value: Any, where: str) -> Any:
    """Return a value of a JSON text as an object of a type.

    Parameters
    ----------
    kind : type
        ``str``, ``int``, ``bool``, a tuple of types, a dataclass, or one of several dataclasses.
    value : object
        What ``json.loads`` gave.
    where : str
        Names the value in errors.

    Raises
    ------
    ManifestError
        The value is not of that type. Nothing is converted: ``True`` is no ``int``.
    """
    if get_origin(kind) is tuple:
        return _read_tuple(get_args(kind), value, where)
    if get_origin(kind) in (Union, types.UnionType):
        return _read_one_of(get_args(kind), value, where)
    if is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if type(value) is not kind:
        raise ManifestError(f"{where} must be of type {kind.__name__}, not {value!r:.40}")
    return value


def _read_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if type(value) is not list:
        raise ManifestError(f"{where} must be a list, not {value!r:.40}")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise ManifestError(f"{where} must have {len(kinds)} entries, not {len(value)}")
    pairs = zip(kinds, value, strict=True)
    return tuple(read(kind, item, f"{where}[{n}]") for n, (kind, item) in enumerate(pairs))


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    members = fields(kind)
    names = [member.name for member in members]
    if type(value) is not dict or value.keys() != set(names):
        found = ", ".join(value) if isinstance(value, dict) else repr(value)
        raise ManifestError(f"{where} must have {', '.join(names)}, not {found:.80}")
    return kind(**{m.name: read(m.type, value[m.name], f"{where}.{m.name}") for m in members})


def _read_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    for kind in kinds:
        if type(value) is dict and value.keys() == {member.name for member in fields(kind)}:
            return _read_dataclass(kind, value, where)
    names = " or ".join(kind.__name__ for kind in kinds)
    raise ManifestError(f"{where} must be a {names}, not {value!r:.40}")
