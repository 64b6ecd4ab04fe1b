"""Laws of the house that no linter knows: who may do what, and where."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from tests.house.sources import PACKAGE, ROOT, name_of, package_files, tracked, tree

OPENS_SOCKETS = {
    "cli/door.py": "a client of the gateway",
    "cli/client.py": "a client of the management API",
    "cli/measuring.py": "loads the endpoint that `freehold probe` was given, with drawn words",
    "cli/doctor.py": "asks whether the listeners answer",
    "cli/policy.py": "looks names up for the rules of a firewall",
    "core/egress.py": "the one way out of the data path",
    "core/ports.py": "finds free ports",
    "core/postgres.py": "has the database's connection notice when the other side is gone",
    "evals/wire.py": "how evaluations ask models: through the gateway, like anyone",
    "app.py": "binds the management API's listener",
    "identity/oidc/fetch.py": "asks the issuer who signed in, from the admin process alone",
    "batches/money.py": "the budget authority's local socket",
    "batches/serve.py": "the desk's local socket, where the gateway brings callers' files and batches",
    "gateway/desk.py": "brings callers' files and batches to the desk's local socket",
    "gateway/leases.py": "the budget authority's local socket",
    "gateway/shared/line.py": "limits and sealed answers that gateways share through Valkey",
    "gateway/serve.py": "binds the data plane's listener",
    "jobs/ray_pool.py": "looks whether the head of the Ray cluster that the settings name is there; no content",
    "ledger/objects/s3.py": "the object store that the settings name; bodies that are sealed already",
    "ledger/shipping/courier.py": "a replica's way to the dock of its primary; journals, in which bodies are sealed",
    "ledger/shipping/dock.py": "listens for couriers; the budget authority's local socket",
    "policy/authority.py": "binds the budget authority's local socket",
    "registry/wire.py": "asks the registry or hub that a person named, when they ask, from the admin process alone",
    "server/app.py": "takes a listener that is bound already",
    "server/playground.py": "asks the gateway, like any application, for whoever looks at the console",
    "serving/engines/classifier.py": "binds the engine's listener, on loopback",
    "serving/engines/control.py": "asks the engines of [engines] whether they are well, and to load adapters; no content",
    "serving/loopback.py": "asks the engines whether they are well, on loopback",
    "telemetry/sending.py": "tells the one collector that the settings name, from the worker; no content",
    "up/listeners.py": "probes its own processes, on loopback",
}
SOCKET_MODULES = {
    "socket",
    "http.client",
    "urllib.request",
    "ftplib",
    "smtplib",
    "requests",
    "httpx",
    "aiohttp",
    "botocore.session",
}
SOCKET_CALLS = {
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_unix_server",
}
READS_ENVIRONMENT = {
    "moves/training/lora.py": "tells its threads how to wait, before their library loads",
    "settings/environment.py": "the only reader",
    "serving/engines/llama_cpp.py": "tells the engine's threads how to wait, before its library loads",
    "registry/packages.py": "hands its environment on to the package client, in set-up only",
}
SQL_WORDS = {"select", "insert", "update", "delete", "text", "exec_driver_sql"}


def room_path(path):
    return str(path.relative_to(PACKAGE))


def attributes(node):
    return {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


def imports(node):
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            yield from (alias.name for alias in one.names)
        elif isinstance(one, ast.ImportFrom) and one.module and not one.level:
            yield one.module


def test_only_policy_mints_permits():
    minting = [
        name_of(path)
        for path in package_files()
        for one in ast.walk(tree(path))
        if isinstance(one, ast.Call) and getattr(one.func, "id", getattr(one.func, "attr", "")) == "Permit"
    ]
    assert minting == ["src/freehold/policy/permits.py"]


def test_sockets_are_opened_in_known_places():
    found = {
        room_path(path)
        for path in package_files()
        if SOCKET_MODULES & set(imports(tree(path))) or SOCKET_CALLS & attributes(tree(path))
    }
    assert found <= set(OPENS_SOCKETS), f"who else opens sockets, and why? {found - set(OPENS_SOCKETS)}"


def test_environment_is_read_in_one_place():
    found = {room_path(path) for path in package_files() if {"environ", "getenv", "environb"} & attributes(tree(path))}
    assert found <= set(READS_ENVIRONMENT), found - set(READS_ENVIRONMENT)


def test_sql_stands_in_stores():
    def allowed(path):
        return path.name in ("store.py", "tables.py") or room_path(path) == "core/db.py" or "migrations" in path.parts

    speaking = {
        room_path(path)
        for path in package_files()
        if not allowed(path)
        for one in ast.walk(tree(path))
        if isinstance(one, ast.ImportFrom)
        and (one.module or "").startswith("sqlalchemy")
        and SQL_WORDS & {alias.name for alias in one.names}
    }
    assert not speaking


def test_broad_catches_say_why():
    silent = []
    for path in package_files():
        lines = path.read_text().splitlines()
        for one in ast.walk(tree(path)):
            if isinstance(one, ast.ExceptHandler):
                broad = one.type is None or getattr(one.type, "id", "") in ("Exception", "BaseException")
                if (
                    broad
                    and "#" not in lines[one.lineno - 1]
                    and not any(isinstance(each, ast.Raise) for each in ast.walk(one))
                ):
                    silent.append(f"{name_of(path)}:{one.lineno}")
    assert not silent


def test_modules_keep_no_mutable_state():
    kept = []
    for path in package_files():
        for one in tree(path).body:
            if isinstance(one, ast.Global) or (
                isinstance(one, ast.Assign | ast.AnnAssign)
                and isinstance(one.value, ast.List | ast.Set | ast.ListComp | ast.SetComp)
            ):
                names = [getattr(each, "id", "") for each in (getattr(one, "targets", None) or [one.target])]
                if names != ["__all__"]:
                    kept.append(f"{name_of(path)}:{one.lineno}")
        kept += [f"{name_of(path)}:{one.lineno}" for one in ast.walk(tree(path)) if isinstance(one, ast.Global)]
    dependencies = re.compile(r"src/freehold/server/api/")  # FastAPI takes lists of dependencies; nobody changes them
    assert not [one for one in kept if not dependencies.match(one)]


def test_what_is_ignored_is_not_tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not told, f"untrack them: {told[:3]} and {len(told)} in all"


def test_committed_files_name_no_package_registry():
    hosts = re.compile(r"py" + r"pi\.(org|python)|file" + r"s\.pythonhosted|registry\.npm" + r"js|proxy\.golang")
    named = []
    for one in tracked():
        path = ROOT / one
        if path.stat().st_size < 1_000_000:
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            if hosts.search(text):
                named.append(one)
    assert not named
