"""Runs the engines that are wanted beside the embedded ones, inside `up`.

A target is in `deployments.json` only while its engine answers: it appears after the warm-up, and it goes before its
engine does, which ends once the published routes name it no more and its calls are over.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.crypto import Verifier, write_private
from freehold.core.errors import BadArtefact, FreeholdError
from freehold.core.process import Log, Supervisor
from freehold.core.startup import started
from freehold.registry.artefacts import Manifest, Store
from freehold.serving import handover
from freehold.serving.deployments import FILE, SECRETS, Deployment, command, forget_secret, place, write_down
from freehold.serving.wanted import STANDING, Phase, Standing, Wanted, listed

LOOK_SECONDS = 0.1
READY_SECONDS = 120.0
TRIES = 1
"""Restarts of an engine that was never ready: what it cannot load it cannot load."""


class Defaults(msgspec.Struct, frozen=True):
    """What the instance gives an engine whose wish names no numbers. `context` is in tokens over all slots."""

    threads: int
    context: int
    slots: int


class _Run:
    """One wish carried out once."""

    def __init__(self, wanted: Wanted, stamp: int) -> None:
        self.wanted = wanted
        self.stamp = stamp
        self.phase: Phase = "starting"
        self.reason = ""
        self.sha256 = ""
        self.routed = False
        self.deployment: Deployment | None = None
        self.end = asyncio.Event()


class Fleet:
    """Make it and run it in the supervisor's loop; `embedded` are the deployments that are always there."""

    def __init__(
        self, home: Path, supervisor: Supervisor, store: Store, embedded: tuple[Deployment, ...], defaults: Defaults,
        log: Log,
    ) -> None:  # fmt: skip
        self._home = home
        self._run_folder = home / "run"
        self._supervisor = supervisor
        self._store = store
        self._embedded = embedded
        self._defaults = defaults
        self._log = log
        self._coming: dict[str, _Run] = {}
        self._serving: dict[str, _Run] = {}
        self._leaving: set[_Run] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._written: dict[str, object] = {}
        shutil.rmtree(self._run_folder / SECRETS, ignore_errors=True)  # of engines that ended with the last `up`

    async def run(self) -> None:
        """Look again and again, until cancelled; then nothing of it is left but what the supervisor ends."""
        try:
            while True:
                try:
                    self.look()
                except OSError as error:  # a full disk: look again later
                    self._log("deployments not looked after", {"why": str(error)})
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            (self._run_folder / STANDING).unlink(missing_ok=True)

    def look(self) -> None:
        """Begin what is newly wanted, end what is wanted no more, and write down how things stand."""
        wishes = {name: wish for name, wish in listed(self._home).items() if wish[0] is None or not wish[0].engine}
        for name in [one for one in (*self._coming, *self._serving) if one not in wishes]:
            for runs in (self._coming, self._serving):
                if (gone := runs.pop(name, None)) is not None:
                    self._leave(gone)
        for name, (wanted, stamp) in wishes.items():
            self._consider(name, wanted, stamp)
        for run in [one for one in self._serving.values() if one.routed]:
            status = self._supervisor.status(run.deployment.process) if run.deployment else None
            well = status is None or status.phase == "ready"
            run.phase, run.reason = ("ready", "") if well else ("restarting", status.reason if status else "")
        self._write()

    def _consider(self, name: str, wanted: Wanted | None, stamp: int) -> None:
        coming, serving = self._coming.get(name), self._serving.get(name)
        newest = coming or serving
        if newest is not None and (newest.stamp == stamp or (newest.wanted == wanted and newest.phase != "failed")):
            newest.stamp = stamp
            return
        if coming is not None:
            del self._coming[name]
            self._leave(coming)
        if serving is not None and serving.wanted == wanted:
            serving.stamp = stamp
            return
        run = self._coming[name] = _Run(wanted or Wanted(name=name, model=""), stamp)
        if wanted is None:
            run.phase, run.reason = "failed", f"{name}.json cannot be read"
        else:
            self._aside(self._life(run))

    def _leave(self, run: _Run) -> None:
        run.end.set()
        if run.deployment is not None and run.phase != "failed":
            run.phase = "stopping"
            self._leaving.add(run)

    async def _life(self, run: _Run) -> None:
        """All of one run, from the check of its model to the end of its process.

        Cancelled, it leaves the engine alone: the supervisor ends it in its turn, after the gateway's calls.
        """
        try:
            if await self._start(run):
                self._take_over(run)
                await self._lead_here(run)
                await run.end.wait()
                await self._retire(run)
        except (FreeholdError, OSError) as error:
            run.phase, run.reason = "failed", str(error)
            self._log("deployment failed", {"name": run.wanted.name, "model": run.wanted.model, "why": str(error)})
        if run.deployment is not None:
            await self._supervisor.remove(run.deployment.process)
            forget_secret(run.deployment)
        self._leaving.discard(run)
        self._write()

    async def _start(self, run: _Run) -> bool:
        """True when the engine answers; False where nobody wants it any more. Raises FreeholdError."""
        manifest = await asyncio.to_thread(self._check, run.wanted)
        run.sha256 = manifest.files[0].sha256
        shape = self._shape(run.wanted, manifest)
        run.deployment = found = place(self._run_folder, manifest, shape)
        self._supervisor.start(command(found, self._store.root, self._public, self._log_file(run)))
        if not await started(self._supervisor, READY_SECONDS, run.end, (found.process,), TRIES):
            return False
        await handover.warm(found)
        return not run.end.is_set()

    def _check(self, wanted: Wanted) -> Manifest:
        """The model's papers; its bytes the engine checks. Raises NotFound, BadSignature or BadArtefact."""
        manifest = self._store.show(wanted.model)
        if wanted.sha256 and manifest.files[0].sha256 != wanted.sha256:
            raise BadArtefact(f"{wanted.model} is {manifest.files[0].sha256[:16]}, and {wanted.sha256[:16]} is wanted")
        if manifest.kind == "embedding":
            raise BadArtefact(f"{wanted.model} is an encoder: it answers no calls of a workflow")
        if manifest.lineage is not None and manifest.lineage.base:
            self._store.show(manifest.lineage.base)
        return manifest

    def _shape(self, wanted: Wanted, manifest: Manifest) -> Deployment:
        found = Deployment(
            name=wanted.name,
            kind=manifest.kind,
            model=manifest.name,
            port=0,
            secret_path="",
            threads=wanted.threads or self._defaults.threads,
            context=wanted.context or self._defaults.context,
            slots=wanted.slots or self._defaults.slots,
            batch=wanted.batch,
            kv=wanted.kv,
        )
        if manifest.kind == "prompt":
            found = msgspec.structs.replace(found, examples=self._store.open_verified(manifest.name).read_text())
        return msgspec.structs.replace(found, max_output=wanted.max_output) if wanted.max_output else found

    def _take_over(self, run: _Run) -> None:
        name = run.wanted.name
        if self._coming.get(name) is run:
            del self._coming[name]
        before = self._serving.get(name)
        self._serving[name] = run
        if before is not None:
            self._leave(before)
        self._write()

    async def _lead_here(self, run: _Run) -> None:
        """Wait until the published routes lead calls here: only then is it ready."""
        assert run.deployment is not None
        run.reason = "the published routes do not name it yet"
        if await handover.routed(self._home / "snapshots", self._public, run.deployment.port, run.end):
            run.routed, run.reason = True, ""
            self._log("deployment ready", {"name": run.wanted.name, "model": run.wanted.model})

    async def _retire(self, run: _Run) -> None:
        """Wait until nobody is led here any more and who was is answered."""
        assert run.deployment is not None
        self._write()
        if not await handover.unrouted(self._home / "snapshots", self._public, run.deployment.port):
            self._log("deployment stopped while routes name it", {"name": run.wanted.name})
        await handover.idle(run.deployment)

    @property
    def _public(self) -> Verifier:
        return self._store.verifier

    def _log_file(self, run: _Run) -> Path:
        return self._home / "logs" / f"engine-{run.wanted.name}.log"

    def _write(self) -> None:
        """Both files, where they would say something new."""
        serving = [run.deployment for run in self._serving.values() if run.deployment is not None]
        rows = tuple(sorted((*self._embedded, *serving), key=lambda one: one.name))
        if self._written.get(FILE, self._embedded) != rows:
            write_down(self._run_folder, rows)
            self._written[FILE] = rows
        runs = {**{run.wanted.name: run for run in self._leaving}, **self._serving, **self._coming}
        told = tuple(self._standing(runs[name]) for name in sorted(runs))
        if self._written.get(STANDING) != told:
            write_private(self._run_folder / STANDING, msgspec.json.encode(told))
            self._written[STANDING] = told

    def _standing(self, run: _Run) -> Standing:
        return Standing(
            name=run.wanted.name,
            model=run.wanted.model,
            sha256=run.sha256,
            phase=run.phase,
            reason=run.reason,
            log=str(self._log_file(run)),
            stamp=run.stamp,
        )

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
