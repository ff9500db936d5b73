"""Fields of instructions that depend on one operation or piece alone, and their ranges."""

from ..isa.instructions import FORMATS, Opcode
from .errors import CompileError
from .ops import Op
from .weights import Piece

__all__ = ["bit_loops", "bit_work", "check_fields", "requantize"]


def check_fields(op: Op, opcode: Opcode, fields: dict[str, int]) -> None:
    """Check that all values fit the instruction's fields.

    Raises
    ------
    CompileError
        One does not.
    """
    for field in FORMATS[opcode]:
        value = fields.get(field.name, field.low if field.name == "opcode" else 0)
        if not field.low <= value <= field.high:
            raise CompileError(
                f"{op.name}: {opcode.name}.{field.name} must be {field.low}…{field.high}, "
                f"not {value}"
            )


def bit_loops(piece: Piece) -> dict[str, int]:
    """Return the fields of MAC_LOOPS that a piece for the bit array has besides."""
    if piece.bits is None:
        return {}
    return {
        "bitwise": 1,
        "bipolar_inputs": int(piece.bits.bipolar_inputs),
        "bipolar_weights": int(piece.bits.bipolar_weights),
        "lanes": piece.bits.lanes,
    }


def bit_work(piece: Piece) -> dict[str, int]:
    """Return the fields of MAC that a piece for the bit array has besides."""
    if piece.bits is None:
        return {}
    return {"double": int(piece.bits.double), "negative": int(piece.bits.negative)}


def requantize(op: Op) -> dict[str, int]:
    """Return what VECTOR_REQUANTIZE says of an operation's rounding, limits or thresholds."""
    params = op.requantize
    if op.thresholds:
        return {"threshold_bits": op.threshold_bits, "out_low": op.thresholds.low}
    return {
        "rounding": int(params.rounding),
        "low": params.low,
        "high": params.high,
        "out_shift": params.out_shift,
        "out_low": params.out_low,
        "out_high": params.out_high,
    }
