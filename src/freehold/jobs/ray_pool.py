"""Chunks on the nodes of a Ray cluster. Ray does again what died with a worker or a node; results are in order.

Chunks and results travel as our own bytes, so nothing depends on how Ray would send them. Nothing is downloaded, no
dashboard is started, and nothing is told to Ray's makers.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from freehold import __version__
from freehold.jobs.errors import ChunkBroke, NoCluster, NoRay, OtherNode
from freehold.jobs.pool import TICK_SECONDS, TRIES, C, Ended, R, Tick, answered, quiet

_AHEAD = 2
"""Chunks under way for each processor, so that none waits for the next."""
_ANSWER_SECONDS = 5.0


class RayPool:
    """A cluster, joined when the first chunk comes. For one thread at a time."""

    def __init__(self, address: str, processes: int = 0, *, tries: int = TRIES) -> None:
        """`address` as `HOST:PORT`, empty for a cluster of this machine alone; `processes` 0 takes all there are."""
        self._address, self._processes, self._tries = address, processes, tries
        self._ray: ModuleType | None = None
        self._ours = False
        self._folder: TemporaryDirectory[str] | None = None

    def map(self, function: Callable[[C], R], chunks: Iterable[C], tick: Tick = quiet) -> Iterator[R]:
        """See `Pool.map`. Raises NoRay, NoCluster, OtherNode."""
        rest = iter(chunks)
        first = list(itertools.islice(rest, 1))
        if first:
            yield from self._there(self._joined(), function, itertools.chain(first, rest), tick)

    def close(self) -> None:
        """Leave the cluster; one that was begun here ends."""
        ray, self._ray = self._ray, None
        if ray is not None and self._ours:
            with _our_signals():
                ray.shutdown()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _there(
        self, ray: ModuleType, function: Callable[[Any], Any], chunks: Iterator[Any], tick: Tick
    ) -> Iterator[Any]:
        run = ray.remote(num_cpus=1, max_retries=self._tries - 1)(_packed)
        most = self._processes or max(int(ray.cluster_resources().get("CPU", 1)), 1) * _AHEAD
        asked: deque[Any] = deque()
        places = itertools.count(1)
        try:
            while True:
                for chunk in itertools.islice(chunks, most - len(asked)):
                    asked.append(run.remote(__version__, pickle.dumps((function, chunk))))
                if not asked:
                    return
                ended = self._waited(ray, asked[0], next(places), tick)
                asked.popleft()
                yield ended.result()
        finally:
            for one in asked if ray.is_initialized() else ():
                ray.cancel(one, force=True)

    def _waited(self, ray: ModuleType, asked: Any, place: int, tick: Tick) -> Ended:
        tick()
        while not ray.wait([asked], timeout=TICK_SECONDS)[0]:
            tick()
        try:
            told = ray.get(asked)
        except ray.exceptions.RayTaskError as error:
            raise OtherNode(f"a node cannot run this version of Freehold: {type(error.cause).__name__}") from None
        except ray.exceptions.RayError as error:
            raise ChunkBroke(f"chunk {place} ended its worker {self._tries} times: {type(error).__name__}") from None
        if isinstance(told, str):
            raise OtherNode(f"a node has Freehold {told}, this is {__version__}")
        found: Ended = pickle.loads(told)  # noqa: S301  # made by our own code, on nodes that the settings name
        return found

    def _joined(self) -> ModuleType:
        if self._ray is None:
            try:
                import ray
            except ImportError:
                raise NoRay("the package ray is not installed") from None
            if not ray.is_initialized():
                self._ours = True
                if self._address:
                    _join(ray, self._address)
                else:
                    self._folder = TemporaryDirectory(prefix="freehold-ray-", ignore_cleanup_errors=True)
                    _begin(ray, self._processes, f"{self._folder.name}/r")  # Ray opens its folder to everybody
            self._ray = ray
        return self._ray


def installed() -> str:
    """Ray's version; empty where it is not installed. Does not load it."""
    try:
        return version("ray")
    except PackageNotFoundError:
        return ""


def head_answers(address: str) -> bool:
    """Whether something listens at `HOST:PORT`. Ray itself would ask for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError):
        return False
    return True


def _join(ray: ModuleType, address: str) -> None:
    """Join a cluster that others began."""
    if not head_answers(address):
        raise NoCluster(f"the Ray cluster {address} cannot be joined: nobody answers there")
    _init(ray, address, {})


def _begin(ray: ModuleType, processes: int, folder: str) -> None:
    """Begin a cluster of this machine alone, whose logs and sockets lie in a folder that only this user may enter."""
    _init(ray, "local", {"num_cpus": processes or None, "include_dashboard": False, "_temp_dir": folder})


def _init(ray: ModuleType, address: str, said: dict[str, Any]) -> None:
    try:
        with _our_signals():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="freehold", **said)
    except (OSError, RuntimeError, ValueError) as error:
        first = str(error).partition("\n")[0][:200]
        raise NoCluster(f"the Ray cluster {address} cannot be joined: {first}") from None


@contextmanager
def _our_signals() -> Iterator[None]:
    """Ray puts in a handler of SIGTERM of its own, and takes it out by taking ours out too."""
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, kept)


def _packed(asked_by: str, packed: bytes) -> bytes | str:
    """A chunk on a node: how it ended, or the version there where that is another."""
    if asked_by != __version__:
        return __version__
    return answered(packed)  # from who joined this cluster, who may run anything on it
