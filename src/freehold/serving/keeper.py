"""Looks after one engine of `[engines]`: starts it where it has a command, and brings it what is wanted of it.

An adapter gets its target after the engine lists it, and is unloaded once no route names it and its calls have ended.
What an engine calls an adapter holds its digest, so another version stands beside it, not in its place.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.errors import BadArtefact, FreeholdError, Unavailable
from freehold.core.process import Command, Log, Supervisor
from freehold.core.restart import Rules
from freehold.policy.targets import Target
from freehold.registry.artefacts import Store
from freehold.registry.types import Manifest
from freehold.serving import handover
from freehold.serving.attachments import Attachment, Attribution, target_of
from freehold.serving.engines.control import Control
from freehold.serving.engines.types import Launch, Load
from freehold.serving.following import settled
from freehold.serving.views import view
from freehold.serving.wanted import Phase, Seen, Standing, Wanted, listed

LOOK_SECONDS = 0.5
STARTS_WITHIN = 900.0
"""Large weights from a slow disk, compiled for the first time."""
MISSES = 5
"""Looks in a row that an engine does not answer before its targets are taken out of the routes."""
RETRY_SECONDS = 10.0
"""After an adapter could not be loaded."""
DRAIN_SECONDS = 60.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OURS = re.compile(r"owned-[a-z0-9][a-z0-9._-]{0,56}@[0-9a-f]{12}\Z")


def engine_name(target: str, sha256: str) -> str:
    """What an engine calls an adapter of ours."""
    return f"{target}@{sha256[:12]}"


class Parts(msgspec.Struct, frozen=True):
    """What keepers share. `home` is the instance's folder."""

    home: Path
    store: Store
    supervisor: Supervisor
    log: Log


class _Adapter(msgspec.Struct):
    """One adapter that is wanted, and how far it is."""

    wanted: Wanted
    stamp: int
    phase: Phase = "starting"
    reason: str = ""
    name: str = ""
    """What the engine calls it."""
    sha256: str = ""
    loaded: bool = False
    again: float = 0.0
    """Not to be tried before; seconds of the loop's clock."""


class Keeper:
    """Looks after one engine."""

    def __init__(self, parts: Parts, what: Attachment, changed: Callable[[], None]) -> None:
        self._parts = parts
        self._changed = changed
        self._what = what
        self._control = Control(what.driver, what.address)
        self._adapters: dict[str, _Adapter] = {}
        self._before: dict[str, _Adapter] = {}
        """Of each target the adapter that answers until its successor is loaded."""
        self._leaving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._phase: Phase = "starting"
        self._reason = ""
        self._base: Manifest | None = None
        self._warm = False
        self._misses = 0
        self._load: Load | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled; an engine that cannot be started is told of, once."""
        try:
            await self._begin()
            while True:
                try:
                    await self._look()
                except (FreeholdError, OSError) as error:
                    self._reason = str(error)
                self._changed()
                await asyncio.sleep(LOOK_SECONDS)
        except (FreeholdError, OSError) as error:
            self._phase, self._reason = "failed", str(error)
            self._changed()
            self._parts.log("engine failed", {"name": self._what.name, "why": str(error)})
            await asyncio.Event().wait()  # told of until `up` ends
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def targets(self) -> list[Target]:
        """What calls may be led to now: nothing before the engine was ready, and adapters that it has loaded."""
        if not self._warm:
            return []
        base = Attribution(target=self._what.target, model=self._what.served, sha256=_digest(self._base))
        found = [target_of(self._what, base)]
        for name, one in sorted({**self._before, **{n: a for n, a in self._adapters.items() if a.loaded}}.items()):
            found.append(target_of(self._what, Attribution(target=name, model=one.name, sha256=one.sha256)))
        return found

    def seen(self) -> Seen:
        """For people."""
        base = Standing(
            name=self._what.target, model=self._what.model, sha256=_digest(self._base), phase=self._phase,
            reason=self._reason, log=str(self._log_file() if self._what.command else ""),
        )  # fmt: skip
        adapters = [
            Standing(name=n, model=a.wanted.model, sha256=a.sha256, phase=a.phase, reason=a.reason, stamp=a.stamp)
            for n, a in sorted(self._adapters.items())
        ]
        return Seen(
            name=self._what.name,
            kind=self._what.driver.kind,
            address=repr(self._what.address),
            started_here=bool(self._what.command),
            standings=(base, *adapters),
            running=self._load.running if self._load else None,
            waiting=self._load.waiting if self._load else None,
        )

    async def _begin(self) -> None:
        """Start the engine where it is ours to start. Raises as the store does."""
        what, home = self._what, self._parts.home
        if not what.command:
            return
        model = settled(self._parts.store, Wanted(name=what.target, model=what.model)).model
        weights = await asyncio.to_thread(view, self._parts.store, model, home / "run" / "views")
        self._base = self._parts.store.show(model)
        assert what.driver.launch is not None
        launch = Launch(
            command=what.command, arguments=what.arguments, weights=str(weights), served=what.served,
            port=what.address.port, context=what.context_tokens, adapters=what.adapters_allowed,
            secret=what.address.secret, secret_file=what.secret_file,
        )  # fmt: skip
        made = what.driver.launch(launch)
        self._parts.supervisor.start(
            Command(
                name=f"engine-{what.name}",
                argv=made.argv,
                env=self._environment(made.env),
                log=self._log_file(),
                probe=self._control.healthy,
                drain=100,
                rules=Rules(ready_within=STARTS_WITHIN, probe_starting=0.2, grace=20.0),
            )
        )

    def _environment(self, own: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """A bare one: vendors' secrets are none of its business. What the settings say of it goes before ours."""
        home = self._parts.home / "engines" / self._what.name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # for the caches it keeps
        bare = {"PATH": _PATH, "HOME": str(home), "PYTHONUNBUFFERED": "1"}
        return tuple({**bare, **dict(own), **dict(self._what.environment)}.items())

    async def _look(self) -> None:
        if not await self._control.healthy():
            self._missed()
            return
        self._misses = 0
        there = await self._control.models()
        if not self._warm:
            if self._what.served not in there:
                serves = ", ".join(there) or "nothing we may use"
                raise Unavailable(f"{self._control.address} serves {serves}, not {self._what.served}")
            await self._control.warm(self._what.served)
            self._warm = True
            self._parts.log("engine ready", {"name": self._what.name, "at": repr(self._control.address)})
        self._phase, self._reason = "ready", ""
        self._load = await self._control.load_of()
        self._wish()
        for target, one in self._adapters.items():
            await self._bring(target, one, one.name in there)
        self._part(there)

    def _missed(self) -> None:
        self._misses += 1
        status = self._parts.supervisor.status(f"engine-{self._what.name}") if self._what.command else None
        self._phase = "restarting" if self._warm else "starting"
        self._reason = (status.reason if status else "") or f"{self._control.address} does not answer"
        if self._misses >= MISSES:
            self._warm, self._load = False, None
            for one in self._adapters.values():
                one.loaded, one.phase = False, "starting"
            self._before.clear()

    def _wish(self) -> None:
        """Take over what is wanted of this engine now: what the settings name, and what people asked for since."""
        store = self._parts.store
        wishes = {name: (settled(store, Wanted(name=name, model=model)), 0) for name, model in self._what.adapters}
        for name, (wish, stamp) in listed(self._parts.home).items():
            if wish is not None and wish.engine == self._what.name:
                wishes.update({name: (wish, stamp)})
        for name in [one for one in self._adapters if one not in wishes]:
            del self._adapters[name]
            self._before.pop(name, None)
        for name, (wanted, stamp) in wishes.items():
            old = self._adapters.get(name)
            if old is not None and old.wanted == wanted:
                old.stamp, old.again = stamp, old.again if old.stamp == stamp else 0.0
                continue
            if old is not None and old.loaded:
                self._before[name] = old
            self._adapters[name] = _Adapter(wanted, stamp)

    async def _bring(self, target: str, one: _Adapter, there: bool) -> None:
        """Have the engine load an adapter that it does not list, and lead calls to it once it does."""
        now = asyncio.get_running_loop().time()
        if one.name and there:
            one.loaded = True
        elif now >= one.again:
            try:
                await self._loaded(target, one)
            except (FreeholdError, OSError) as error:
                one.phase, one.reason, one.loaded, one.again = "failed", str(error), False, now + RETRY_SECONDS
                self._parts.log("adapter not loaded", {"target": target, "why": str(error)})
        if one.loaded:
            self._before.pop(target, None)
            self._changed()
            led = self._led(one.name)
            one.phase, one.reason = ("ready", "") if led else ("starting", "the published routes do not name it yet")

    async def _loaded(self, target: str, one: _Adapter) -> None:
        store, wanted = self._parts.store, one.wanted
        manifest = store.show(wanted.model)
        if wanted.sha256 and manifest.files[0].sha256 != wanted.sha256:
            raise BadArtefact(f"{wanted.model} has changed since it was deployed", hint="deploy it again")
        if manifest.kind != "adapter" or manifest.format == "gguf":
            hint = "deploy it without --engine: the embedded engine serves it"
            raise BadArtefact(f"{wanted.model} is no adapter in the form {self._what.driver.kind} loads", hint=hint)
        base = self._base.name.partition("@")[0] if self._base is not None else ""
        if base and manifest.lineage is not None and manifest.lineage.base != base:
            raise BadArtefact(f"{wanted.model} was trained on {manifest.lineage.base}, not on {base}")
        folder = await asyncio.to_thread(view, store, wanted.model, self._parts.home / "run" / "views")
        one.sha256, one.name = manifest.files[0].sha256, engine_name(target, manifest.files[0].sha256)
        seen_at = f"{self._what.adapters_at.rstrip('/')}/{folder.name}" if self._what.adapters_at else str(folder)
        await self._control.load(one.name, seen_at)
        await self._control.warm(one.name)
        one.loaded = True

    def _part(self, there: tuple[str, ...]) -> None:
        """Begin to let go of every adapter of ours that nobody wants any more."""
        kept = {one.name for one in (*self._adapters.values(), *self._before.values())}
        for name in there:
            if _OURS.match(name) and name not in kept and name not in self._leaving:
                self._leaving.add(name)
                self._aside(self._retire(name))

    async def _retire(self, name: str) -> None:
        """Unload once no published route names it and the engine's calls have ended, or have had their time."""
        try:
            while self._led(name):  # noqa: ASYNC110  other processes change the file
                await asyncio.sleep(handover.POLL_SECONDS)
            await asyncio.sleep(handover.SWAP_SECONDS)
            if not self._what.driver.ends_calls_first:
                await self._idle()
            await self._control.unload(name)
        except (FreeholdError, OSError) as error:  # the next look begins again
            self._parts.log("adapter not unloaded", {"name": name, "why": str(error)})
        finally:
            self._leaving.discard(name)

    async def _idle(self) -> None:
        """Until a moment in which the engine answers nothing, or the longest wait for one.

        Metrics count all calls of the engine, not an adapter's, so a busy one is waited for as long as a call may take.
        """
        end = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while (load := await self._control.load_of()) is not None and load.running + load.waiting > 0:
            if asyncio.get_running_loop().time() > end:
                return
            await asyncio.sleep(handover.POLL_SECONDS)

    def _led(self, name: str) -> bool:
        """Whether the published routes lead to what the engine calls by that name."""
        at = self._what.address
        return handover.leads(self._parts.home / "snapshots", self._parts.store.verifier, at.host, at.port, name)

    def _log_file(self) -> Path:
        return self._parts.home / "logs" / f"engine-{self._what.name}.log"

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _digest(manifest: Manifest | None) -> str:
    return manifest.files[0].sha256 if manifest else ""
