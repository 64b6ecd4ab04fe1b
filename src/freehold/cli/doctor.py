"""`freehold doctor`: looks at everything, changes nothing; each failure with its fix."""

from __future__ import annotations

import contextlib
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import click
import msgspec

from freehold.cli.commands import Verb
from freehold.cli.finding import Finding
from freehold.cli.output import emit_json, json_option, mark
from freehold.cli.place import Place
from freehold.core.errors import FreeholdError

LEAST_FREE_BYTES = 1 << 30
ANSWER_SECONDS = 3.0
SOON_SECONDS = 14 * 86400.0
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


Check = Callable[[Place], Iterator[Finding]]


@click.command(cls=Verb)
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look at everything and say what is well, what may become trouble, and what is broken. Exit 1 on a failure."""
    place = ctx.find_object(Place)
    assert place is not None
    found = [one for check in CHECKS for one in check(place)]
    if as_json:
        emit_json(msgspec.to_builtins(found))
    else:
        for one in found:
            click.echo(f"{mark(one.state, _COLOURS[one.state])} {one.about}: {one.message}")
            if one.fix:
                click.echo(f"       fix   {one.fix}")
    if any(one.state == "fail" for one in found):
        ctx.exit(1)


def _python(_place: Place) -> Iterator[Finding]:
    version = ".".join(str(one) for one in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    yield Finding("ok" if good else "fail", "python", version, "" if good else "use Python 3.11 or newer")


def _data_plane(_place: Place) -> Iterator[Finding]:
    """What the next start runs; both do the same, one of them faster."""
    from freehold.settings.data_plane import checkout, chosen, interpreter

    yield Finding("ok", "data plane", chosen(checkout(), interpreter()).told)


def _config(place: Place) -> Iterator[Finding]:
    from freehold.serving.fetch import ready
    from freehold.settings.load import load
    from freehold.settings.problems import InvalidConfig
    from freehold.settings.weights import chosen, folders

    try:
        loaded = load(place.config or _file_in_use(place), place.home_option)
    except InvalidConfig as error:
        for one in error.problems:
            yield Finding("fail", "config", f"{one.where}: {one.message}", one.fix)
        return
    except FreeholdError as error:
        yield Finding("fail", "config", error.message, error.hint)
        return
    yield Finding("ok", "config", f"{loaded.file} is valid" if loaded.file else "no file: the defaults hold")
    settings = loaded.settings
    if settings.serving.enabled and not (place.home / "store" / "models").exists():
        weights = chosen(folders(settings.serving.weights))
        there = ready(weights)
        yield Finding(
            "ok" if there else "fail",
            "models",
            f"the embedded models are in {weights}" if there else f"no embedded models in {weights}",
            "" if there else "fetch them, once: freehold models fetch (or set enabled = false in [serving])",
        )


def _servers(place: Place) -> Iterator[Finding]:
    from freehold.cli.servers import servers

    return servers(place, place.config or _file_in_use(place))


def _file_in_use(place: Place) -> str | None:
    """The file the running instance goes by, which need not be the one of this folder."""
    try:
        return place.client().get("/api/status")["file"] or None
    except FreeholdError:
        return None


def _keys(place: Place) -> Iterator[Finding]:
    """Whether every provider's key is there: as the instance sees it where one runs, else as this shell does."""
    from freehold.settings.environment import resolve_secret
    from freehold.settings.load import load

    try:
        for one in place.client().get("/api/providers"):
            if one["key"] == "missing":
                fix = "set it where the instance runs and start it anew: freehold up"
                yield Finding("fail", f"provider {one['name']}", f"{one['api_key']} leads to nothing", fix)
    except FreeholdError:
        with contextlib.suppress(FreeholdError):
            for name, provider in load(place.config, place.home_option).settings.providers.items():
                try:
                    resolve_secret(provider.api_key)
                except FreeholdError as error:
                    yield Finding("warn", f"provider {name}", f"{error.message}, here", error.hint)


def _status(place: Place) -> Iterator[Finding]:
    try:
        status = place.client().get("/api/status")
    except FreeholdError:
        return
    if status["problems"]:
        message = f"{status['problems']} problems in the file; the settings before it are in force"
        yield Finding("fail", "instance", message, "mend them: freehold config check")
    if status["restart_needed"]:
        tables = ", ".join(f"[{one}]" for one in status["restart_needed"])
        yield Finding("warn", "instance", f"{tables} changed since the start", "start it anew: freehold up")
    if status["collector"]:
        fix = "see that [telemetry] otlp leads to a collector that takes OTLP over HTTP as JSON"
        yield Finding("warn", "telemetry", status["collector"], fix)


def _prices(place: Place) -> Iterator[Finding]:
    try:
        targets = place.client().get("/api/targets")
    except FreeholdError:
        return
    for one in targets:
        if not one["owned"] and one["price"]["source"] == "not set":
            fix = f"add price to [targets.{one['name']}]: budgets cannot count what has no price"
            yield Finding("warn", f"target {one['name']}", "is rented and has no price", fix)


def _home(place: Place) -> Iterator[Finding]:
    home = place.home
    if not home.exists():
        yield Finding("warn", "home", f"{home} is not there yet", "start it: freehold up")
        return
    for name in ("identity.key", "data.key", "run/admin.token"):
        path = home / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("fail", "home", f"{path} can be read by others", f"chmod 600 {path}")
    free = shutil.disk_usage(home).free
    state = "ok" if free >= LEAST_FREE_BYTES else "warn"
    yield Finding(state, "home", f"{home}, {free / 1e9:.0f} GB free", "" if state == "ok" else "free some space")


def _snapshots(place: Place) -> Iterator[Finding]:
    for kind, (version, problem) in _published(place).items():
        if not version and not problem:
            yield Finding("warn", "snapshots", f"{kind} is not published yet", "start the instance: freehold up")
        elif problem:
            yield Finding("fail", "snapshots", f"{kind}: {problem}", "remove the file and restart: freehold up")
        else:
            yield Finding("ok", "snapshots", f"{kind} version {version}, signature holds")


def _published(place: Place) -> dict[str, tuple[int, str]]:
    """Version of each snapshot file (0 where there is none that holds), and what is wrong with it."""
    from freehold.core.crypto import Identity
    from freehold.core.snapshot import read_snapshot

    key = place.home / "identity.key"
    found: dict[str, tuple[int, str]] = {}
    for kind in ("keys", "policy", "routes") if key.exists() else ():
        try:
            version, _ = read_snapshot(place.home / "snapshots", kind, msgspec.Raw, Identity(key.read_bytes()))
        except FileNotFoundError:
            found[kind] = (0, "")
        except (FreeholdError, msgspec.MsgspecError) as error:
            found[kind] = (0, str(error))
        else:
            found[kind] = (version, "")
    return found


def _quarantine(place: Place) -> Iterator[Finding]:
    kept = sorted((place.home / "quarantine" / "journal").glob("*.journal"))
    if kept:
        message = f"{len(kept)} segments hold frames of another version, which the ledger lacks"
        fix = f"load them with the version that wrote them, or delete them: {kept[0].parent}"
        yield Finding("warn", "journal", message, fix)


def _outside(place: Place) -> Iterator[Finding]:
    """Whether checkpoints of the audit log get out."""
    from freehold.ledger.audit.publisher import line, standing

    for one in standing(place.home):
        fix = "make the folder writable for the instance, or name another in [audit]"
        if one.differs:
            fix = "find out what was changed: freehold audit verify"
        state = "ok" if not one.error else "fail" if one.differs or not one.size else "warn"
        yield Finding(state, "audit", line(one), fix if one.error else "")


def _processes(place: Place) -> Iterator[Finding]:
    from freehold.core.process import read_processes

    found = read_processes(place.home / "run" / "processes.json")
    if found is None:
        yield Finding("warn", "processes", "none runs", "start the instance: freehold up")
        return
    for one in found.children:
        good = one.phase == "ready"
        message = one.phase + (f", restarted {one.restarts} times ({one.reason})" if one.restarts else "")
        state = "fail" if not good else "warn" if one.restarts else "ok"
        yield Finding(state, one.name, message, "" if good else f"read {one.log}")


def _deployments(place: Place) -> Iterator[Finding]:
    """Engines that were asked for and do not serve; those that run are among the processes."""
    from freehold.serving.wanted import standing

    for one in standing(place.home):
        if one.phase == "failed":
            fix = f"read {one.log}, then: freehold models deploy {one.model} --target {one.name}"
            yield Finding("fail", f"deployment {one.name}", f"cannot serve {one.model}: {one.reason}", fix)


def _vouched(place: Place) -> Iterator[Finding]:
    """Models that wait for a person, and people's words that have run out or soon will."""
    from freehold.core.crypto import Identity
    from freehold.registry.artefacts import Store
    from freehold.registry.held import waiting
    from freehold.registry.types import expired

    key, root = place.home / "identity.key", place.home / "store"
    if not key.is_file() or not root.is_dir():
        return
    identity, now = Identity.load(key), time.time()
    try:
        for one in waiting(root, identity):
            fix = f"freehold models held, then: freehold models review {one.offer.name} --expires 90d"
            yield Finding("warn", f"model {one.offer.name}", "waits for a person before it may come in", fix)
        for model in Store(root, identity).list():
            if model.papers is not None and expired(model, now + SOON_SECONDS):
                over, until = expired(model, now), model.papers.reviewed_until
                said = f"the word of {model.papers.reviewed_by} {'ran out' if over else 'runs out'} on {until}"
                fix = f"freehold models review {model.name} --expires 90d"
                yield Finding("fail" if over else "warn", f"model {model.name}", said, fix)
    except FreeholdError as error:
        yield Finding("fail", "store", error.message, error.hint)


def _listeners(place: Place) -> Iterator[Finding]:
    from freehold.cli.door import Door
    from freehold.settings.location import read_endpoints

    endpoints = read_endpoints(place.home)
    if endpoints is None:
        return
    logs = place.home / "logs"
    try:
        told = Door(endpoints, "", ANSWER_SECONDS).get("/readyz")
    except FreeholdError as error:
        yield Finding("fail", "gateway", f"{endpoints.gateway}: {error.message}", f"read {logs / 'gateway.log'}")
    else:
        good = told["status"] == "ready"
        message = f"answers at {endpoints.gateway}" + ("" if good else f", and is {told['status']}")
        yield Finding("ok" if good else "fail", "gateway", message, "" if good else f"read {logs / 'gateway.log'}")
        for kind, (version, _) in _published(place).items():
            if told["versions"][kind] < version:
                message = f"goes by version {told['versions'][kind]} of {kind}: version {version} was refused"
                yield Finding("fail", "gateway", message, f"read {logs / 'gateway.log'}")
    parts = urlsplit(endpoints.admin)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=ANSWER_SECONDS):
            yield Finding("ok", "management API", f"answers at {endpoints.admin}")
    except OSError:
        yield Finding("fail", "management API", f"does not answer at {endpoints.admin}", f"read {logs / 'admin.log'}")


def _advice(place: Place) -> Iterator[Finding]:
    """What advisories and vendors' announcements mean for what runs here."""
    from freehold.cli import advice

    for path, told in (("/api/errata", advice.errata), ("/api/lifecycle", advice.lifecycle)):
        try:
            found = place.client().get(path)
        except FreeholdError:
            continue
        yield from (Finding(*one) for one in told(found))


def _jobs(place: Place) -> Iterator[Finding]:
    try:
        failed = place.client().get("/api/jobs", state="failed")
    except FreeholdError:
        return
    for one in failed:
        yield Finding("warn", f"job {one['id']}", f"{one['kind']} failed: {one['error']}", "read the worker's log")


CHECKS: tuple[Check, ...] = (
    _python,
    _data_plane,
    _config,
    _servers,
    _home,
    _snapshots,
    _quarantine,
    _outside,
    _processes,
    _deployments,
    _vouched,
    _listeners,
    _status,
    _keys,
    _prices,
    _advice,
    _jobs,
)
