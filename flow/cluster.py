"""Computing on a Dask cluster instead of this machine's cores."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from .errors import FlowError

__all__ = ["dask_executor"]

#: Seconds to reach a scheduler.
_PATIENCE = 10


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Give the executor of a cluster, by its scheduler's address.

    Raises
    ------
    FlowError
        Dask is not installed, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise FlowError("Dask is not installed; pip install 'shiftloom[dask]'") from error
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise FlowError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        yield client.get_executor()
