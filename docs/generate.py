"""Writes the reference pages from the code: `python -m docs.generate`; with `--check` only says what is stale.

A page is a pure function of the code, so a test can hold the committed pages to it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter

import freehold
from freehold.cli.main import COMMANDS
from freehold.cli.main import freehold as tree
from freehold.core.errors import FreeholdError
from freehold.identity.roles import ROLES, permissions
from freehold.server.access import ACCESS, roles_for
from freehold.server.actors import Allowed
from freehold.server.app import ROUTERS
from freehold.settings.environment import override_name
from freehold.settings.tree import Settings

EVERYWHERE = ("config", "home")
"""Options of every command, told once."""
FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by `make docs` from the code: change that, not this. -->\n"

_CLI = """\
Results go to standard output, messages to standard error; every command takes `--json`.
`--config` and `--home` may stand before a command or after it: `freehold up --home FOLDER`. `-h` and `--help` explain
any command.
Exit codes: 0 done, 1 failed, 2 usage, 3 changes pending, 4 gate not passed.
"""
_SETTINGS = f"""\
One `freehold.toml`; unknown keys are errors. `freehold config schema` prints the JSON schema for editors.
A key of a plain table can also be set from outside, as `{override_name("table", "key")}`.
A running instance takes changes at once, but for [instance], [gateway], [admin], the terms of [capture] and [serving]
(not its prices), which are read at its start.
"""
_ROLES = """\
A person has a role by group, or because an owner gave it; a key has the role it was made with. A key of the role
`developer` is an application and may do nothing here; what is told of `developer` is true of people. While a
break-glass for `owner` lasts, a person may do what an owner may but for `break-glass:approve`, `keys:admin`,
`people:admin` and `scim:write`, which would outlive it.
"""
_API = """\
On its own listener, loopback by default; never on the gateway's. The whole description is its `/openapi.json`.
Send `Authorization: Bearer` with the token in `run/admin.token` of the instance's home, with that of a session
(`freehold login`), or with a virtual key whose role has the permission. Money is a string of US dollars.
"""


def cli_page() -> str:
    """Every command with its options."""
    parts = [
        NOTE,
        "# Commands\n",
        _CLI,
    ]
    root = click.Context(tree, info_name="freehold")
    parts.append(_options(tree, root))
    for name, _ in COMMANDS:
        command = tree.get_command(root, name)
        assert command is not None
        parts += _commands(command, click.Context(command, info_name=name, parent=root))
    return "\n".join(parts)


def _commands(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## `{context.command_path}`\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "") + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            assert one is not None
            yield from _commands(one, click.Context(one, info_name=name, parent=context))
        return
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```\n{usage}\n```\n"
    yield _options(command, context)


def _options(command: click.Command, context: click.Context) -> str:
    shown = [one for one in command.params if context.parent is None or one.name not in EVERYWHERE]
    rows = [one.get_help_record(context) for one in shown if isinstance(one, click.Option)]
    lines = [f"| `{record[0].replace('|', chr(92) + '|')}` | {record[1]} |" for record in rows if record]
    return "\n".join(["| option | meaning |", "|---|---|", *lines, ""])


def settings_page() -> str:
    """Every table and key of `freehold.toml`."""
    schema = Settings.model_json_schema()
    parts = [
        NOTE,
        "# Settings\n",
        _SETTINGS,
    ]
    for name, field in schema["properties"].items():
        parts += _table(name, field, schema)
    return "\n".join(parts)


def _table(name: str, field: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    if "additionalProperties" in field:
        title, form = f"[{name}.NAME]", _resolved(field["additionalProperties"], schema)
    elif field.get("type") == "array":
        title, form = f"[[{name}]]", _resolved(field["items"], schema)
    else:
        title, form = f"[{name}]", _resolved(field, schema)
    yield f"## `{title}`\n"
    yield form.get("description", "") + "\n"
    yield "| key | kind | default | meaning |\n|---|---|---|---|"
    required = form.get("required", ())
    for key, one in form["properties"].items():
        default = "required" if key in required else f"`{_default(one)}`"
        yield f"| `{key}` | {_kind(one, schema)} | {default} | {one.get('description', '')} |"
    yield ""
    for inner in sorted({_name(each) for one in form["properties"].values() for each in _refs(one)}):
        yield from _inner(inner, schema)


def _inner(name: str, schema: dict[str, Any]) -> Iterator[str]:
    form = schema["$defs"][name]
    yield f"A table of the kind `{name.removesuffix('Settings').lower()}` holds:\n"
    yield "| key | kind | default | meaning |\n|---|---|---|---|"
    for key, one in form["properties"].items():
        default = "required" if key in form.get("required", ()) else f"`{_default(one)}`"
        yield f"| `{key}` | {_kind(one, schema)} | {default} | {one.get('description', '')} |"
    yield ""


def _default(one: dict[str, Any]) -> str:
    import json

    if "default" not in one:
        return "{}"
    return json.dumps(one["default"]) if one["default"] is not None else "none"


def _refs(one: dict[str, Any]) -> Iterator[str]:
    if "$ref" in one:
        yield one["$ref"]
    for each in (*one.get("anyOf", ()), one.get("additionalProperties")):
        if isinstance(each, dict):
            yield from _refs(each)


def _name(ref: str) -> str:
    return ref.rpartition("/")[2]


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][_name(node["$ref"])]
    return node


def _kind(one: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in one:
        return f"table ({_name(one['$ref']).removesuffix('Settings').lower()})"
    if "enum" in one:
        return ", ".join(f"`{each}`" for each in one["enum"])
    if "const" in one:
        return f"`{one['const']!r}`"
    if "anyOf" in one:
        kinds = [_kind(each, schema) for each in one["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if one.get("type") == "array":
        return f"list of {_kind(one.get('items', {}), schema)}"
    if isinstance(one.get("additionalProperties"), dict) and "$ref" in one["additionalProperties"]:
        return f"tables ({_name(one['additionalProperties']['$ref']).removesuffix('Settings').lower()}) by name"
    names = {"integer": "whole number", "boolean": "true or false", "string": "text", "object": "table"}
    return names.get(one.get("type", ""), str(one.get("type", "anything")))


def errors_page() -> str:
    """Every error code with its meaning and its fix."""
    rows = [
        f"| `{one.code}` | {one.__name__} | {_first(one)} | {one.hint_text} |"
        for one in sorted(errors(), key=lambda one: (one.code, one.__name__))
    ]
    head = "| code | name | what it means | what to do |\n|---|---|---|---|"
    return "\n".join([NOTE, "# Errors\n", "Every error carries its code, a message and a fix.\n", head, *rows, ""])


def errors() -> tuple[type[FreeholdError], ...]:
    """Every kind of error there is, in whatever room."""
    for module in pkgutil.walk_packages(freehold.__path__, "freehold."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[FreeholdError]] = []
    waiting: list[type[FreeholdError]] = [FreeholdError]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return tuple(dict.fromkeys(found))


def _first(kind: type[FreeholdError]) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def api_page() -> str:
    """Every endpoint of the management API."""
    parts = [
        NOTE,
        "# Management API\n",
        _API,
        "| method | path | permission | what it does |\n|---|---|---|---|",
    ]
    for method, path, permission, text in sorted(endpoints(), key=lambda one: (one[1], one[0])):
        parts.append(f"| {method} | `{path}` | {f'`{permission}`' if permission else 'none'} | {text} |")
    return "\n".join([*parts, ""])


def endpoints() -> Iterator[tuple[str, str, str, str]]:
    """Method, path, permission and summary of every endpoint."""
    routers: tuple[APIRouter, ...] = ROUTERS
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            text = " ".join((route.endpoint.__doc__ or "").split())
            for method in sorted(route.methods or ()):
                yield method, route.path, _permission(route.dependant), text


def _permission(dependant: Dependant) -> str:
    found = list(_permissions(dependant))
    # An endpoint that demands more than its router does is told by what it demands.
    return next((one for one in found if not one.endswith(":read")), found[0] if found else "")


def _permissions(dependant: Dependant) -> Iterator[str]:
    for one in dependant.dependencies:
        if isinstance(one.call, Allowed):
            yield one.call.permission
        yield from _permissions(one)


def roles_page() -> str:
    """Which role has which permission, and what each endpoint demands."""
    heads = " | ".join(f"`{role}`" for role in ROLES)
    lines = [NOTE, "# Roles\n", _ROLES, f"| permission | {heads} |", f"|---|{'---|' * len(ROLES)}"]
    for permission in sorted({one for role in ROLES for one in permissions(role)}):
        marks = " | ".join("yes" if permission in permissions(role) else "" for role in ROLES)
        lines.append(f"| `{permission}` | {marks} |")
    lines += ["\n## Endpoints\n", "| method | path | permission | roles |\n|---|---|---|---|"]
    for method, path, permission in ACCESS:
        told = ", ".join(roles_for(permission)) if permission else "open to all"
        lines.append(f"| {method} | `{path}` | {f'`{permission}`' if permission else 'none'} | {told} |")
    return "\n".join([*lines, ""])


PAGES: tuple[tuple[str, Callable[[], str]], ...] = (
    ("api.md", api_page),
    ("cli.md", cli_page),
    ("errors.md", errors_page),
    ("roles.md", roles_page),
    ("settings.md", settings_page),
)


def stale() -> tuple[str, ...]:
    """Pages that do not say what the code says."""
    return tuple(name for name, page in PAGES if not _same(FOLDER / name, page()))


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    if arguments == ["--check"]:
        old = stale()
        print(f"stale: {', '.join(old)}; write them anew: make docs" if old else "the reference is fresh")
        return 1 if old else 0
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES:
        (FOLDER / name).write_text(page())
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
