"""Heavy work in chunks: a function that is pure and stands in a module, chunks that are plain values.

Invariant: results are those of `map(function, chunks)`, in that order, whatever the pool, its size, or what was killed.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import msgspec

C = TypeVar("C")
R = TypeVar("R")
Tick = Callable[[], None]
"""Called before each chunk that is worked on here, and each second that a worker is waited for. What it raises ends the
work: cancelled, lease lost."""

TRIES = 3
"""Times that a chunk may end its worker before it is given up."""
TICK_SECONDS = 1.0


def quiet() -> None:
    """A tick that nobody hears."""


class Pool(Protocol):
    """Where chunks are worked on. Who opens one closes it."""

    def map(self, function: Callable[[C], R], chunks: Iterable[C], tick: Tick = quiet) -> Iterator[R]:
        """The results in order, as they are asked for; a few chunks ahead are worked on meanwhile.

        Closing the iterator cancels the rest. Raises what `function` raised on the first chunk that failed, and
        ChunkBroke for one that ends its worker whenever it is tried.
        """

    def close(self) -> None:
        """End what is still worked on; closed twice is closed once."""


class InProcess:
    """One chunk after the other, here: what every other pool must equal."""

    def map(self, function: Callable[[C], R], chunks: Iterable[C], tick: Tick = quiet) -> Iterator[R]:
        """Each result when it is asked for."""
        for chunk in chunks:
            tick()
            yield function(chunk)

    def close(self) -> None:
        """Nothing is held."""


class Ended(msgspec.Struct, frozen=True):
    """How a chunk ended in its worker: with a value, or by an error of the function's own."""

    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """The value. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


def attempted(function: Callable[[Any], Any], chunk: Any) -> Ended:
    """Run a chunk in a worker. An error travels as a value, so that what else ends a worker is told from it."""
    try:
        return Ended(value=function(chunk))
    except Exception as error:  # noqa: BLE001  # the edge between worker and caller, where it is raised again
        return Ended(error=_portable(error))


def answered(asked: bytes) -> bytes:
    """How a chunk ended, as bytes for bytes: both ways what `pickle` makes of them, of a function and its chunk."""
    try:
        function, chunk = pickle.loads(asked)  # noqa: S301  # made by our own code, which may run anything here
    except Exception as error:  # noqa: BLE001  # whatever a chunk's own class does when it is made again
        return pickle.dumps(Ended(error=_portable(error)))
    ended = attempted(function, chunk)
    try:
        return pickle.dumps(ended)
    except Exception as error:  # noqa: BLE001  # the same of what was found
        return pickle.dumps(Ended(error=_portable(error)))


def _portable(error: Exception) -> Exception:
    """The error with the place it came from; one that cannot be sent is told in words."""
    place = "".join(traceback.format_tb(error.__traceback__))
    error.add_note(f"in a worker:\n{place}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes, a moment old
    except Exception:  # noqa: BLE001  # whatever an error's own class does when it is made again
        return RuntimeError(f"{type(error).__name__} in a worker:\n{place}")
    return error
