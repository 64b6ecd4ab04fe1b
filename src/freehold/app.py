"""The composition root: `python -m freehold.app ROLE` runs one process of an instance, `up` supervises them all.

The only file that names concrete adapters. Imports stand in the roles, so that each process loads only its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from freehold.core.clock import at
from freehold.core.errors import FileRefused, FreeholdError, NotRunning

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from freehold.core.crypto import Identity
    from freehold.ledger.meter import Price
    from freehold.policy.targets import Target
    from freehold.server.publish import Publisher
    from freehold.settings.banner import Started, StartedReplica


DESK = "batches.sock"
"""Socket in `run/` at which the gateway reaches the process of files and batches."""


def gateway(config: str | None, home: Path) -> None:
    """The data plane."""
    from freehold.core.crypto import Verifier
    from freehold.gateway.serve import GatewayConfig, run
    from freehold.settings.environment import resolve_secret
    from freehold.settings.joining import replica_of
    from freehold.settings.last_good import in_force
    from freehold.settings.valkey import shared_of

    every, joining = in_force(config, home).settings, replica_of(home)
    settings = every.gateway
    run(
        GatewayConfig(
            home=home,
            host=settings.host,
            port=settings.port,
            hosts=settings.hosts,
            max_body_bytes=settings.max_body_bytes,
            tls_certificate=settings.tls_certificate,
            tls_key=settings.tls_key,
            notice_seconds=settings.drain_notice_seconds,
            share=settings.processes,
            desk=home / "run" / DESK if every.batches.enabled and joining is None else None,
            primary=None if joining is None else Verifier(joining.identity),
            shared=shared_of(every),
            strict=settings.journal == "strict",
            receipts=settings.receipts,
            cache_bytes=settings.cache_bytes,
            resolve=resolve_secret,
        )
    )


def writer(config: str | None, home: Path) -> None:
    """The ledger's writer and the budget authority."""
    from freehold.core.crypto import Identity
    from freehold.ledger.audit.publisher import Plan, Publisher
    from freehold.ledger.intake.loader import Pace
    from freehold.ledger.writer import Service, WriterConfig, run
    from freehold.policy.authority import Authority
    from freehold.settings.bodies import carrier_of
    from freehold.settings.database import database_of
    from freehold.settings.last_good import in_force

    every = in_force(config, home).settings
    capture = every.capture
    classes = tuple(sorted((name, days * 86400.0) for name, days in capture.retention.items()))
    pace = Pace(retention_seconds=capture.retention_days * 86400.0, retention_classes=classes)
    verifier = Identity.load(home / "identity.key")

    def plan() -> Plan:
        audit = in_force(config, home).settings.audit
        return Plan(audit.folders(), audit.every_seconds)

    def publisher(engine: Engine) -> Publisher:
        return Publisher(home, engine, verifier, plan, time.time)

    def services(engine: Engine) -> list[Service]:
        carrier = carrier_of(every, home, engine)
        shipping = [carrier] if carrier is not None else []
        return [Authority(home, engine, verifier, time.time), publisher(engine), *shipping]

    run(
        WriterConfig(home=home, database=database_of(every, home), pace=pace),
        services,
        lambda engine: publisher(engine).round(),
    )


def dock(config: str | None, home: Path) -> None:
    """Where replicas bring their journals, and fetch snapshots and money."""
    from freehold.core.db import check, connect
    from freehold.identity.replicas.roster import Roster
    from freehold.ledger.shipping.certificate import listening
    from freehold.ledger.shipping.serve import DockConfig, run_dock
    from freehold.settings.database import database_of
    from freehold.settings.last_good import in_force

    every = in_force(config, home).settings
    engine = connect(database_of(every, home))
    check(engine)
    told = every.dock
    run_dock(DockConfig(home=home, host=told.host, port=told.port, tls=listening(home, time.time())), Roster(engine))


def courier(config: str | None, home: Path) -> None:
    """At a replica: brings journals to the primary's dock, and snapshots and money from it."""
    from freehold.core.crypto import Verifier
    from freehold.ledger.shipping.certificate import pinned
    from freehold.ledger.shipping.courier import Primary
    from freehold.ledger.shipping.serve import run_courier
    from freehold.settings.joining import replica_of

    joining = replica_of(home)
    if joining is None:
        raise NotRunning(f"{home} is no replica's", hint="join first: freehold up --join FILE")
    host, port = joining.address
    primary = Primary(host=host, port=port, token=joining.token, tls=pinned(joining.certificate))
    run_courier(home, primary, Verifier(joining.identity))


def worker(config: str | None, home: Path) -> None:
    """Short background jobs: erasure, retention, collecting calls, watching moves."""
    from freehold.tasks import Instance, run, short

    instance = Instance(config, home, make_publisher)
    run("worker", *short(instance), instance)


def batches(config: str | None, home: Path) -> None:
    """Callers' files, and the lines of their batches: each is asked at the gateway in the name of its key."""
    from freehold.batches.asking import Door
    from freehold.batches.desk import Desk
    from freehold.batches.files import Cabinet, term_of
    from freehold.batches.lines import Lines
    from freehold.batches.money import Till
    from freehold.batches.passages import Passages
    from freehold.batches.passed import Counter
    from freehold.batches.returning import Returning
    from freehold.batches.running import Runner
    from freehold.batches.sealing import Drawer
    from freehold.batches.serve import run
    from freehold.core.crypto import Sealer
    from freehold.core.db import check, connect
    from freehold.core.ids import IdMaker
    from freehold.identity.service import service_key
    from freehold.settings.bodies import bodies_of
    from freehold.settings.database import database_of
    from freehold.settings.last_good import in_force
    from freehold.settings.location import read_endpoints

    every = in_force(config, home).settings
    engine = connect(database_of(every, home))
    check(engine)
    endpoints = read_endpoints(home)
    if endpoints is None:
        raise NotRunning(f"no instance runs in {home}")
    sealer = Sealer.load(home / "data.key")
    classes = tuple(sorted((name, days * 86400.0) for name, days in every.capture.retention.items()))
    term = term_of(every.batches.file_days, classes)
    cabinet = Cabinet(engine, bodies_of(every, home, sealer), term, time.time, IdMaker())
    drawer = Drawer(sealer, cabinet.bodies.subjects)
    desk = Desk(cabinet, drawer, every.batches, time.time, IdMaker())
    door = Door(endpoints.gateway, endpoints.certificate, lambda: service_key(home), every.batches.line_seconds)
    runner = Runner(cabinet, drawer, door, every.batches, time.time)
    counter = Counter(endpoints.gateway, endpoints.certificate, lambda: service_key(home))
    lines = Lines(engine, drawer)
    returning = Returning(cabinet, lines, counter, time.time)
    till = Till(home / "run" / "writer.sock")
    runner.passages = Passages(home / "journal", lines, returning, till, every.batches.poll_seconds)
    run(runner, desk, home / "run" / DESK)


def trainer(config: str | None, home: Path) -> None:
    """Long background jobs: discovery, evaluation, training."""
    from freehold.tasks import ASSIGNMENT, Instance, long, run

    instance = Instance(config, home, make_publisher)
    run("trainer", long(instance), (ASSIGNMENT,), instance)


def admin(config: str | None, home: Path) -> None:
    """The management API, which also publishes snapshots when the configuration changes."""
    import socket

    from freehold.core.crypto import Identity
    from freehold.core.db import check, connect
    from freehold.core.log import Log
    from freehold.server.app import create_app, guarded, serve
    from freehold.server.instance import Instance
    from freehold.server.token import admin_token
    from freehold.server.watch import Watch
    from freehold.settings.database import database_of
    from freehold.settings.last_good import in_force

    loaded = in_force(config, home)
    database = database_of(loaded.settings, home)
    engine = connect(database)
    check(engine)
    identity = Identity.load(home / "identity.key")
    instance = Instance(
        engine=engine,
        identity=identity,
        loaded=loaded,
        publisher=make_publisher(engine_url=database, home=home, identity=identity),
        audit=append_audit,
        clock=time.time,
    )
    settings = loaded.settings.admin
    listener = socket.create_server((settings.host, settings.port), backlog=128)
    watch = Watch(instance, config, Log("admin"))
    watch.start()
    serve(guarded(create_app(instance, admin_token(home)), settings.hosts), listener)
    watch.stop()


def up(config: str | None, home: Path) -> None:
    """Everything, supervised."""
    from freehold.settings.banner import banner, replica_banner

    _up(config, home, banner, replica_banner)


def up_json(config: str | None, home: Path) -> None:
    """Everything, supervised, with the banner as one JSON line."""
    from freehold.settings.banner import as_json

    _up(config, home, as_json, as_json)


def _up(
    config: str | None, home: Path, tell: Callable[[Started], str], tell_replica: Callable[[StartedReplica], str]
) -> None:
    from freehold.settings.joining import replica_of

    joining = replica_of(home)
    if joining is None:
        from freehold.up.primary import Parts, run

        run(config, home, Parts(publisher=make_publisher, audit=append_audit, tell=tell))
    else:
        from freehold.up.replica import run as run_replica

        run_replica(config, home, joining, tell_replica)


def make_publisher(engine_url: str | URL, home: Path, identity: Identity) -> Publisher:
    """A publisher that knows where the embedded models answer now."""
    from freehold.core.db import connect
    from freehold.server.publish import Facts, Publisher

    facts = Facts(owned=lambda: owned_targets(home), list_price=list_price)
    return Publisher(connect(engine_url), home, identity, time.time, facts)


def owned_targets(home: Path) -> Sequence[Target]:
    """The embedded models, and what the engines of `[engines]` serve, as targets."""
    from freehold.serving.attachments import attached
    from freehold.serving.deployments import deployed, targets

    own = targets(deployed(home / "run"))
    names = {one.name for one in own}
    return (*own, *(one for one in attached(home / "run") if one.name not in names))


def list_price(vendor: str, model: str) -> Price | None:
    """What a vendor's dated list says today."""
    from freehold.ledger.prices import rented_price

    return rented_price(vendor, model, at(time.time()).date())


def append_audit(connection: Connection, at: float, kind: str, actor: str, content: dict[str, object]) -> None:
    """Queue one entry for the audit tree."""
    from freehold.ledger.audit.store import append

    append(connection, at, kind, actor, content)


ROLES = (
    ("admin", admin),
    ("batches", batches),
    ("courier", courier),
    ("dock", dock),
    ("gateway", gateway),
    ("trainer", trainer),
    ("up", up),
    ("up-json", up_json),
    ("worker", worker),
    ("writer", writer),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one role until it is told to end; 1 with the reason where it cannot begin."""
    from freehold.settings.environment import impose
    from freehold.settings.joining import join
    from freehold.settings.location import home_of

    parser = argparse.ArgumentParser(prog="python -m freehold.app", description="Run one process of an instance.")
    parser.add_argument("role", choices=[name for name, _ in ROLES])
    parser.add_argument("--config", help="configuration file")
    parser.add_argument("--home", help="folder of the instance")
    parser.add_argument("--air-gapped", action="store_true", help="whatever the file says, no rented target exists")
    parser.add_argument("--join", help="file a replica joins its primary with")
    options = parser.parse_args(arguments)
    if options.air_gapped:
        impose("policy", "air_gapped", "true")
    try:
        home = home_of(options.config, options.home)
        if options.join:
            join(home, Path(options.join))
        dict(ROLES)[options.role](options.config, home)
    except FreeholdError as error:
        tell(error)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        tell(FileRefused.of(error))
        return 1
    return 0


def tell(error: FreeholdError) -> None:
    """An error for people, on standard error."""
    problems = getattr(error, "problems", None)
    text = str(error) if problems else f"error[{error.code}] {error.message}\n  fix   {error.hint}"
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
