"""Watches `freehold.toml`: a good change is put in force, a bad one is told and the settings in force stay.

And watches which owned models are served: their targets stand in the routes from when they can answer until they end.
"""

from __future__ import annotations

import threading
from pathlib import Path

from freehold.core.errors import FreeholdError
from freehold.core.log import Log
from freehold.server.instance import Instance
from freehold.serving.attachments import TARGETS as ATTACHED
from freehold.serving.deployments import FILE as DEPLOYMENTS
from freehold.settings import last_good
from freehold.settings.load import load
from freehold.settings.location import find
from freehold.settings.problems import InvalidConfig

POLL_SECONDS = 0.2


class Watch:
    """Polls the file's stamp from a thread of its own."""

    def __init__(self, instance: Instance, config: str | None, log: Log) -> None:
        self._instance = instance
        self._config = config
        self._log = log
        self._end = threading.Event()
        self._stamp: object = None
        self._served: object = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Publish what is in force, then watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        self._thread.join()

    def check_served(self) -> None:
        """Look once: where other engines serve than before, publish the routes anew."""
        run = self._instance.home / "run"
        served = (_stamp_of(run / DEPLOYMENTS), _stamp_of(run / ATTACHED))
        if served != self._served:
            self._instance.versions = self._instance.publisher.publish(self._instance.settings)
            self._served = served

    def check(self) -> None:
        """Look once: where the file changed, put it in force or tell what is wrong with it."""
        rules = self._instance.settings.policy.cedar
        stamp = (_stamp(self._config), _stamp_of(Path(rules)) if rules else None)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            loaded = load(self._config, str(self._instance.home))
        except InvalidConfig as error:
            self._instance.problems = error
            for one in error.problems:
                self._log.error("bad configuration", code=one.code, message=one.message, where=one.where)
            return
        if loaded.settings == self._instance.settings:
            self._instance.loaded = loaded
            self._instance.problems = None
            return
        self._instance.adopt(loaded, "freehold.toml")
        last_good.keep(self._instance.loaded)
        self._log.info("configuration in force", **self._instance.versions)
        if self._instance.restart_needed:
            self._log.warning("restart to take these in", tables=", ".join(self._instance.restart_needed))

    def _run(self) -> None:
        while not self._end.wait(POLL_SECONDS):
            try:
                self.check_served()
                self.check()
            except FreeholdError as error:
                self._log.error("configuration not adopted", code=error.code, message=error.message)
            except Exception as error:  # noqa: BLE001  the edge of the thread: it must live on
                self._log.error("defect while watching", kind=type(error).__name__, message=str(error))


def _stamp(config: str | None) -> tuple[int, int, int] | None:
    try:
        path = find(config)
    except (FreeholdError, OSError):
        return None
    return _stamp_of(path) if path else None


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
