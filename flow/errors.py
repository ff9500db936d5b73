"""What can be wrong with what a user asks for, besides the model, configuration or program."""

__all__ = ["FlowError", "HostWarning", "MissingExtraWarning"]


class FlowError(ValueError):
    """A file or an option that cannot be used; the message says what is wrong with it."""


class HostWarning(UserWarning):
    """A part of the network runs on the host, not on the machine."""


class MissingExtraWarning(UserWarning):
    """A part of a result is left out, because an optional package is not installed."""
