"""What can be wrong with a model: one error with a code, a place, what was found and a remedy."""

__all__ = ["CATALOGUE", "ModelError", "QuantizationWarning", "UnsupportedError"]

#: Error codes and what each is about.
CATALOGUE = {
    "SL-Q101": "the file cannot be read as an ONNX model",
    "SL-Q102": "external tensor data cannot be used",
    "SL-Q103": "the operator set is not supported",
    "SL-Q104": "a scale is not a power of two",
    "SL-Q105": "a zero point is not zero",
    "SL-Q106": "a weight is not a finite number",
    "SL-Q107": "a shape is unknown, dynamic or does not fit",
    "SL-Q108": "a data type is not supported",
    "SL-Q109": "an operator is not supported",
    "SL-Q110": "the graph is malformed",
    "SL-Q111": "the calibration data does not fit the model",
    "SL-Q112": "a tensor is too large",
    "SL-Q113": "the quantized model file is damaged",
    "SL-Q114": "a number format cannot be represented",
}


class ModelError(ValueError):
    """A model that cannot be used as it is.

    Parameters
    ----------
    code : str
        Key of :data:`CATALOGUE`.
    found : str
        What is wrong, with the offending value.
    node : str
        Where: a node, a tensor or a file.
    allowed : str
        What would be right.
    fix : str
        What the user can do.
    """

    def __init__(
        self, code: str, found: str, *, node: str = "", allowed: str = "", fix: str = ""
    ) -> None:
        self.code = code
        self.title = CATALOGUE[code]
        self.node = node
        self.found = found
        self.allowed = allowed
        self.fix = fix
        super().__init__(self._text())

    def _text(self) -> str:
        place = f"{self.node}: " if self.node else ""
        lines = [f"{self.code}  {place}{self.found}"]
        lines += [f"  allowed: {self.allowed}"] if self.allowed else []
        lines += [f"  fix: {self.fix}"] if self.fix else []
        return "\n".join(lines)


class UnsupportedError(ModelError):
    """A legal model with something that neither the machine nor the host side carries out."""


class QuantizationWarning(UserWarning):
    """The result is usable, but something about it should be known."""
