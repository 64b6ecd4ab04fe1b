"""The door from many machines: where many calls are to be asked, nodes of a cluster ask them, in chunks.

Each chunk goes with its contents and a pass to the models it asks, so one is opened only where the settings say that
these may go there. The instance's own key stays here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain, islice

import msgspec

from freehold.core.errors import FreeholdError
from freehold.evals.door import TIMEOUT_SECONDS, Asked, Door, Manner, Reply, name_of
from freehold.evals.errors import DoorClosed
from freehold.jobs.pool import Pool

CHUNK = 32
"""Calls that a node asks at a time: what its loss has asked again."""
NEAR = 128
"""Fewer are asked from here: a cluster takes seconds to join."""
USED_SECONDS = 900.0
"""A pass goes with chunks for so long."""
ASKED_SECONDS = 7200.0
"""And counts for so much longer: a chunk whose models are all as slow as they may be, tried again, takes an hour."""
_REACH = "see that nodes reach it, and trust its certificate: gateway in [jobs] of freehold.toml"


class Chunk(msgspec.Struct, frozen=True):
    """Calls for one node, and how it asks them."""

    base_url: str
    pass_: str
    manner: Manner
    timeout: float
    asked: tuple[Asked, ...]

    def __repr__(self) -> str:
        """Without the pass and the contents."""
        return f"Chunk({len(self.asked)} calls)"


class Heard(msgspec.Struct, frozen=True):
    """What a chunk came to: its replies in order, up to an error of ours."""

    replies: tuple[Reply, ...]
    error: FreeholdError | None = None


def ask_there(chunk: Chunk) -> Heard:
    """Ask a chunk's calls, several under way at a time. What was answered before an error is not lost."""
    replies: list[Reply] = []
    with Door(chunk.base_url, chunk.pass_, manner=chunk.manner) as door:
        try:
            replies.extend(door.ask_all(chunk.asked, timeout=chunk.timeout))
        except FreeholdError as error:
            return Heard(tuple(replies), error)
    return Heard(tuple(replies))


class Cluster(msgspec.Struct, frozen=True):
    """Who asks where there is much to ask."""

    gateway: str
    """Base URL at which nodes ask."""
    pool: Callable[[], AbstractContextManager[Pool]]
    """Opens it, for one thread at a time."""
    let: Callable[[tuple[str, ...], float], str]
    """Writes a pass to some models, for so many seconds."""


class FarDoor(Door):
    """A door here for single calls and for few; the cluster asks where there are many."""

    def __init__(
        self, base_url: str, key: str, cluster: Cluster, *, certificate: str = "", manner: Manner | None = None
    ) -> None:
        super().__init__(base_url, key, certificate=certificate, manner=manner)
        self._cluster = cluster
        self._passes: dict[tuple[str, ...], tuple[str, float]] = {}

    def ask_all(
        self,
        asked: Iterable[Asked],
        progress: Callable[[int], None] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Iterator[Reply]:
        """As `Door.ask_all`; more is read of `asked`: some chunks for each processor of the cluster.

        Raises what the pool raises too.
        """
        source = iter(asked)
        first = list(islice(source, NEAR))
        if len(first) < NEAR:
            yield from super().ask_all(first, progress, timeout)
            return
        rest = chain(first, source)
        done = 0
        with self._cluster.pool() as pool:
            chunks = iter(lambda: tuple(islice(rest, CHUNK)), ())
            for heard in pool.map(ask_there, (self._chunk(one, timeout) for one in chunks)):
                for reply in heard.replies:
                    done += 1
                    if progress is not None:
                        progress(done)
                    yield reply
                if isinstance(heard.error, DoorClosed):
                    where = self._cluster.gateway
                    raise DoorClosed(f"{heard.error.message}, asked by nodes at {where}", hint=_REACH)
                if heard.error is not None:
                    raise heard.error

    def _chunk(self, asked: tuple[Asked, ...], timeout: float) -> Chunk:
        models = tuple(sorted({name_of(one[0]) for one in asked}))
        return Chunk(self._cluster.gateway, self._pass_to(models), self._manner, timeout, asked)

    def _pass_to(self, models: tuple[str, ...]) -> str:
        """Used for a while, since the gateway checks each once."""
        found, until = self._passes.get(models, ("", 0.0))
        if time.monotonic() >= until:
            found = self._cluster.let(models, USED_SECONDS + ASKED_SECONDS)
            self._passes[models] = found, time.monotonic() + USED_SECONDS
        return found
