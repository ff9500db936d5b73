"""What the compiler says when a network cannot run on a configuration."""

__all__ = ["CompileError"]


class CompileError(ValueError):
    """A layer that cannot run on the machine; the message names it and says what would help."""
