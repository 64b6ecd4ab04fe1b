"""The background work of an instance, bound to its parts: the worker's short jobs, and the trainer's long ones.

Two processes, so that a move that serves is watched also while another one trains.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from freehold.core.errors import NotFound, NotRunning
from freehold.jobs.types import Beat, Kind, Payload, Schedule

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from freehold.core.crypto import Identity
    from freehold.evals import runs
    from freehold.evals.door import Door
    from freehold.evals.optimising import Bench
    from freehold.jobs.pool import Pool
    from freehold.moves.rollout import Rollout
    from freehold.moves.training.job import Base, Recipe
    from freehold.moves.tuning import Place
    from freehold.planner.jobs import Parts as Planning
    from freehold.policy.rights import Rules
    from freehold.server.publish import Publisher
    from freehold.workflows.shelf import Shelf

LEASE_SECONDS = 60.0
PREPARE_TRIES = 8
"""What may pass (a gateway that is away, a full disk) is waited for about four minutes; then the move is held."""
RETENTION = Schedule("retention", "capture.expire", every_seconds=3600.0)
ASSIGNMENT = Schedule("assignment", "workflows.assign", every_seconds=600.0)
"""Of what was imported since; live calls are assigned as they come."""
TELEMETRY = Schedule("telemetry", "telemetry.tell", every_seconds=5.0)
WATCHES = (
    Schedule("collect", "workflows.collect", every_seconds=1.0),
    Schedule("propose", "moves.propose", every_seconds=30.0),
    Schedule("sweep", "moves.sweep", every_seconds=10.0),
    Schedule("watch", "moves.watch", every_seconds=1.0),
)


class Instance:
    """What jobs work on. Parts that need a running gateway are made when they are asked for."""

    def __init__(self, config: str | None, home: Path, publisher: Callable[[URL, Path, Identity], Publisher]) -> None:
        from freehold.core.crypto import Identity
        from freehold.core.db import check, connect
        from freehold.evals.annotations import Annotations
        from freehold.evals.contents import Contents
        from freehold.settings.bodies import bodies_at
        from freehold.settings.database import database_at
        from freehold.workflows.shelf import Shelf

        self.config = config
        self.home = home
        database = database_at(config, home)
        self.engine: Engine = connect(database)
        check(self.engine)
        self.identity = Identity.load(home / "identity.key")
        self.bodies = bodies_at(config, home)
        self.shelf: Shelf = Shelf(self.engine, self.bodies)
        self.contents = Contents(self.engine, self.bodies)
        self.annotations = Annotations(self.engine, self.contents)
        self._publisher = publisher(database, home, self.identity)

    def door(self, purpose: str = "evaluation") -> Door:
        """The gateway, by the service key. Raises NotRunning."""
        from freehold.evals.door import Door, Manner
        from freehold.identity.service import service_key
        from freehold.settings.last_good import in_force
        from freehold.settings.location import read_endpoints

        endpoints = read_endpoints(self.home)
        if endpoints is None:
            raise NotRunning(f"no instance runs in {self.home}")
        with contextlib.suppress(NotFound):
            jobs = in_force(self.config, self.home).settings.jobs
            key, manner = service_key(self.home), Manner(workers=jobs.asking, purpose=purpose)
            if jobs.content:
                from freehold.evals.far_door import Cluster, FarDoor
                from freehold.settings.pools import BEHIND, pool_for_content

                cluster = Cluster(jobs.gateway or endpoints.gateway, lambda: pool_for_content(jobs, BEHIND), self.let)
                return FarDoor(endpoints.gateway, key, cluster, certificate=endpoints.certificate, manner=manner)
            return Door(endpoints.gateway, key, certificate=endpoints.certificate, manner=manner)
        raise NotRunning("the gateway's service key is not there yet")

    def let(self, models: tuple[str, ...], seconds: float) -> str:
        """A pass to some models, from now on."""
        from freehold.identity.passes import Pass, write_pass

        return write_pass(self.identity, Pass(models, time.time() + seconds))

    def publish(self) -> None:
        """Have the data plane go by what is written down."""
        from freehold.settings.last_good import in_force

        self._publisher.publish(in_force(self.config, self.home).settings)

    def runs(self) -> runs.Parts:
        """What evaluations work with."""
        from freehold.evals import runs

        return runs.Parts(
            engine=self.engine,
            shelf=self.shelf,
            contents=self.contents,
            door=self.door(),
            gold=self.annotations.gold,
            clock=time.time,
            rights=self.rights,
        )

    def rights(self) -> Rules:
        """What recorded calls may be used for, by the settings in force."""
        from freehold.settings import compile as compiled
        from freehold.settings.last_good import in_force

        return compiled.rights(in_force(self.config, self.home).settings)

    def planning(self) -> Planning:
        """What plans are made with, by the settings in force."""
        from freehold.planner.jobs import Parts
        from freehold.planner.kept import Kept
        from freehold.server.planning import known
        from freehold.settings.last_good import in_force
        from freehold.settings.pools import BEHIND, pool_anywhere

        settings = in_force(self.config, self.home).settings
        return Parts(
            engine=self.engine,
            kept=Kept(self.home / "plans"),
            settings=settings.plan,
            known=lambda connection: known(connection, settings, self._publisher),
            clock=time.time,
            pool=lambda: pool_anywhere(settings.jobs, BEHIND),
        )

    def readers(self) -> AbstractContextManager[Pool]:
        """Who reads texts of calls, by the settings in force."""
        from freehold.settings.last_good import in_force
        from freehold.settings.pools import BEHIND, pool_for_content

        return pool_for_content(in_force(self.config, self.home).settings.jobs, BEHIND)

    def training(self) -> AbstractContextManager[Place]:
        """Where recipes train, by the settings in force."""
        from freehold.settings.last_good import in_force
        from freehold.settings.pools import BEHIND, pool_for_training

        return pool_for_training(in_force(self.config, self.home).settings.jobs, BEHIND)

    def licence_of(self, target: str) -> str:
        """The licence of the model that an owned target serves, or served; empty where the store has none of it."""
        from freehold.registry.artefacts import Store
        from freehold.registry.papers.terms import known_as
        from freehold.serving.deployments import deployed

        models = {one.name: one.model for one in deployed(self.home / "run")}
        with contextlib.suppress(NotFound):  # what a move made is served under its own name
            name = models.get(target, target.removeprefix("owned-"))
            return known_as(Store(self.home / "store", self.identity).show(name).licence)
        return ""

    def vendors(self) -> dict[str, str]:
        """The offering behind each rented target, as terms name it, by the settings in force."""
        from freehold.settings.compile import offerings
        from freehold.settings.last_good import in_force

        return offerings(in_force(self.config, self.home).settings)


def short(instance: Instance) -> tuple[tuple[Kind, ...], tuple[Schedule, ...]]:
    """The worker's kinds and schedules."""
    from freehold.core.ids import IdMaker, from_text
    from freehold.jobs import store as jobs
    from freehold.ledger.capture import erase_call, expire
    from freehold.ledger.keeping.erasing import Order, erase_subject
    from freehold.moves.proposals import propose
    from freehold.moves.rollout import run

    engine, bodies = instance.engine, instance.bodies
    ids = IdMaker()
    rollouts: list[Rollout] = []

    def erasure(payload: Payload, _beat: Beat) -> Payload:
        """`{"call": ID}`, `{"key": ID}` or `{"subject": NAME, "by": ACTOR}`, and `why`."""
        why, now = str(payload.get("why", "asked for")), time.time()
        if "subject" in payload:
            gone = erase_subject(engine, bodies, Order(payload["subject"], why, payload["by"]), now)
            return {"erased": gone.bodies, "calls": gone.calls}
        if "key" in payload:
            return {"erased": erase_key(instance, payload["key"], why, now)}
        return {"erased": erase_call(engine, bodies, from_text(payload["call"]), why, now)}

    def retention(_payload: Payload, _beat: Beat) -> Payload:
        return {"erased": expire(engine, bodies, time.time())}

    def collection(_payload: Payload, _beat: Beat) -> Payload:
        return {"collected": gather(instance)}

    def watch(_payload: Payload, beat: Beat) -> Payload:
        if not rollouts:
            rollouts.append(make_rollout(instance))
        return {"rounds": run(rollouts[0], engine, lambda: beat({}))}

    def telling(_payload: Payload, beat: Beat) -> Payload:
        return {"told": tell(instance, lambda: beat({}))}

    def sweeping(_payload: Payload, _beat: Beat) -> Payload:
        return {"let_go": sweep(instance)}

    def proposing(_payload: Payload, _beat: Beat) -> Payload:
        now = time.time()

        def queue(connection: Connection, move: str) -> None:
            jobs.add(connection, ids(), "moves.prepare", {"move": move}, now)

        return {"proposed": propose(engine, ids, queue, now)}

    kinds = (
        Kind("capture.erase", erasure),
        Kind("capture.expire", retention),
        Kind("moves.propose", proposing, kept=False),
        Kind("moves.sweep", sweeping, kept=False),
        Kind("moves.watch", watch, lease_seconds=LEASE_SECONDS, kept=False),
        Kind("telemetry.tell", telling, lease_seconds=LEASE_SECONDS, kept=False),
        Kind("workflows.collect", collection, lease_seconds=LEASE_SECONDS, kept=False),
    )
    return kinds, (RETENTION, TELEMETRY, *WATCHES)


def gather(instance: Instance) -> int:
    """Captured calls as records, and sums of records where they are due; how many are new."""
    from freehold.workflows.collect import collect
    from freehold.workflows.sums.settling import settle

    vendors = instance.vendors()
    collected = collect(instance.engine, instance.bodies, time.time(), lambda target: vendors.get(target, ""))
    settle(instance.engine)
    return collected


def erase_key(instance: Instance, key_id: str, why: str, now: float) -> int:
    """Erase the bodies of a key's calls, its files, and what is known of its batches; how many bodies."""
    from freehold.batches.store import forget_key
    from freehold.core.db import writing
    from freehold.ledger import capture

    gone = capture.erase_key(instance.engine, instance.bodies, key_id, why, now)
    with writing(instance.engine) as connection:
        forget_key(connection, key_id)
    return gone


def long(instance: Instance) -> tuple[Kind, ...]:
    """The trainer's kinds."""
    from freehold.evals import jobs as evals
    from freehold.evals import optimising
    from freehold.moves.preparing import Parts, Preparation, give_up
    from freehold.moves.store import moving
    from freehold.planner import jobs as plans
    from freehold.workflows import discovery

    def preparation(payload: Payload, beat: Beat) -> Payload:
        """`{"move": ID}`."""
        parts = Parts(
            engine=instance.engine,
            home=instance.home,
            identity=instance.identity,
            shelf=instance.shelf,
            gold=instance.annotations.gold,
            rights=instance.rights,
            runs=instance.runs(),
            base_of=lambda recipe, name: base_of(instance, recipe, name),
            publish=instance.publish,
            clock=time.time,
            licence_of=instance.licence_of,
            places=instance.training,
        )
        return Preparation(parts, payload["move"], beat).run()

    def unprepared(payload: Payload, error: str) -> None:
        give_up(instance.engine, payload["move"], error, time.time())

    return (
        *evals.kinds(instance.runs),
        *optimising.kinds(lambda: bench_of(instance)),
        *discovery.kinds(instance.engine, instance.shelf, time.time, instance.publish, moving, instance.readers),
        *plans.kinds(instance.planning),
        Kind("moves.prepare", preparation, lease_seconds=LEASE_SECONDS, tries=PREPARE_TRIES, gave_up=unprepared),
    )


def bench_of(instance: Instance) -> Bench:
    """What variants of models are measured with, by the settings in force."""
    from freehold.evals.optimising import Bench
    from freehold.registry.artefacts import Store
    from freehold.serving.certified import Flags
    from freehold.settings.admission import admission
    from freehold.settings.last_good import in_force

    loaded = in_force(instance.config, instance.home)
    serving, cores = loaded.settings.serving, os.cpu_count() or 1
    store = Store(instance.home / "store", instance.identity)
    return Bench(
        home=instance.home,
        store=store,
        identity=instance.identity,
        admission=admission(loaded, store),
        runs=instance.runs(),
        defaults=Flags(threads=serving.threads or cores, slots=serving.slots, context=serving.context_tokens),
        cores=cores,
        clock=time.time,
    )


def make_rollout(instance: Instance) -> Rollout:
    """The one that takes moves onward in this process."""
    from freehold.moves.engines import coming
    from freehold.moves.influence import members_of
    from freehold.moves.rollout import Parts, Rollout
    from freehold.settings.last_good import in_force

    return Rollout(
        Parts(
            engine=instance.engine,
            shelf=instance.shelf,
            door=instance.door("shadow"),
            publish=instance.publish,
            members=lambda move: members_of(move, in_force(instance.config, instance.home).settings.composites),
            gold=instance.annotations.gold,
            coming=lambda move: coming(instance.home, move),
            release=lambda: sweep(instance),
            clock=time.time,
        )
    )


def sweep(instance: Instance) -> tuple[str, ...]:
    """Stop the engines that moves asked for and that nobody needs now; `models deploy` serves what they made again."""
    from freehold.moves.engines import routed, sweep
    from freehold.settings import compile as compiled
    from freehold.settings.last_good import in_force

    def kept() -> set[str]:
        return routed(compiled.routes(in_force(instance.config, instance.home).settings, ()))

    return sweep(instance.home, instance.engine, kept, time.time())


def tell(instance: Instance, beat: Callable[[], None]) -> int:
    """Tell the collector of what ended since, where the settings name one; of how many calls."""
    from freehold.settings.environment import resolve_secret
    from freehold.settings.last_good import in_force
    from freehold.telemetry.export import Plan, tell
    from freehold.telemetry.sending import sender

    settings = in_force(instance.config, instance.home).settings.telemetry
    if not settings.otlp:
        return 0
    plan = Plan(settings.otlp, settings.conventions, settings.clearance, instance.identity.key_id)
    send = sender(settings.otlp, resolve_secret(settings.authorization))
    return tell(instance.engine, plan, send, beat, time.time)


def base_of(instance: Instance, recipe: Recipe, name: str) -> Base | None:
    """The model a recipe starts from: by its name in the store, or the embedded one of the kind it needs.

    A classifier does without an encoder where there is none. Raises NotFound.
    """
    from freehold.moves.training.job import Base
    from freehold.registry.artefacts import Store

    kind = "embedding" if recipe == "classifier" else "chat"
    store = Store(instance.home / "store", instance.identity)
    found = store.show(name) if name else next((one for one in store.list() if one.kind == kind), None)
    if found is None and recipe == "classifier":
        return None
    if found is None or found.kind != kind:
        hint = "fetch the embedded ones: freehold models fetch"
        raise NotFound(f"there is no {kind} model {name} for the recipe {recipe}".replace("  ", " "), hint=hint)
    first = found.files[0]
    return Base(found.name, str(store.blob(first.sha256)), first.sha256)


def run(name: str, kinds: Sequence[Kind], schedules: Sequence[Schedule], instance: Instance) -> None:
    """The process: works until SIGTERM or SIGINT."""
    from freehold.jobs.worker import run as work

    work(instance.engine, kinds, schedules, instance.home / "run" / f"{name}.lock")
