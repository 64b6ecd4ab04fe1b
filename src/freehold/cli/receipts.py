"""`freehold receipts`: get the signed statement about a call, and check one without any instance."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, mark, say
from freehold.cli.place import Place
from freehold.core.errors import BadSignature, FreeholdError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freehold.ledger.receipts import Receipt

CALL = "call_"
"""How ids of calls begin."""


@click.group(cls=Noun)
def receipts() -> None:
    """Receipts: where a call ran, under which policy, what it cost; signed, and checkable offline."""


@receipts.command()
@click.argument("call")
@click.option("--to", "target_file", type=click.Path(dir_okay=False), help="Write the receipt to a file.")
@json_option
@click.pass_obj
def show(place: Place, call: str, target_file: str | None, *, as_json: bool) -> None:
    """Print the receipt of CALL; there within a second of its end."""
    found = place.client().get(f"/api/receipts/{segment(call)}")
    if target_file:
        import json

        Path(target_file).write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        say(f"written; check it anywhere: freehold receipts verify {target_file} --public-key {found['public_key']}")
        return
    if as_json or not sys.stdout.isatty():
        emit_json(found)
        return
    fields((name.replace("_", " "), value) for name, value in found["statement"].items())
    click.echo()
    fields([("leaf", found["leaf"]), ("public key", found["public_key"]), ("checkpoint", found["checkpoint"].strip())])


@receipts.command()
@click.argument("what")
@click.option("--public-key", help="The installation's public key in hex, from a source you trust.")
@json_option
@click.pass_context
def verify(ctx: click.Context, what: str, public_key: str | None, *, as_json: bool) -> None:
    """Check a receipt: WHAT is a file (`-` for standard input), or a call's id at the running instance.

    Without --public-key the identity in the instance's home is used; without that the receipt is refused,
    since a receipt cannot vouch for its own key.
    """
    place = ctx.find_object(Place)
    assert place is not None
    receipt = _read(what, place)
    try:
        checks = _verify(receipt, trusted(public_key, place))
    except BadSignature as error:
        _tell(error, as_json=as_json)
        ctx.exit(4)
    if as_json:
        emit_json({"good": True, "checks": checks, "statement": receipt.statement})
        return
    for one in checks:
        click.echo(f"{mark('ok', 'green')} {one['name']}: {one['detail']}")
    click.echo(summary(receipt.statement))


def summary(statement: Mapping[str, Any]) -> str:
    """What a statement says, in a line."""
    if "call" not in statement:
        return f"{statement.get('change')} by {statement.get('actor')}"
    where = statement.get("target") or "no target"
    done = f"was served an answer kept from {where}" if statement.get("cache") == "hit" else f"ran at {where}"
    return f"{statement['call']} {done}, {statement.get('outcome')}"


@receipts.command("public-key")
@json_option
@click.pass_obj
def public_key(place: Place, *, as_json: bool) -> None:
    """Print this installation's public key in hex, by which its receipts are checked. Works without an instance."""
    key = _own(place)
    if key is None:
        hint = "name the folder of the instance: --home FOLDER"
        raise NotFound(f"no identity lives in {place.home}", hint=hint)
    if as_json:
        emit_json({"public_key": key.hex(), "home": str(place.home)})
    else:
        click.echo(key.hex())


def _verify(receipt: Receipt, key: bytes) -> list[dict[str, Any]]:
    from freehold.ledger.receipts import verify as check

    return [{"name": one.name, "detail": one.detail} for one in check(receipt, key)]


def _tell(error: FreeholdError, *, as_json: bool) -> None:
    if as_json:
        emit_json({"good": False, **error.as_dict()})
    else:
        click.echo(f"{mark('fail', 'red')} {error.message}")


def _read(what: str, place: Place) -> Receipt:
    """Raises BadSignature where the text is no receipt."""
    import json

    import msgspec

    from freehold.ledger.receipts import Receipt

    if what == "-":
        text = sys.stdin.read()
    elif Path(what).is_file():
        text = Path(what).read_text()
    elif what.startswith(CALL):
        text = json.dumps(place.client().get(f"/api/receipts/{segment(what)}"))
    else:
        raise click.UsageError(f"there is no file {what}, and it is no call's id")
    try:
        return msgspec.json.decode(text, type=Receipt)
    except msgspec.DecodeError as error:
        raise BadSignature(f"{what} holds no receipt: {error}") from None


def trusted(given: str | None, place: Place) -> bytes:
    """The key to check by: as given, or this machine's own. Raises BadSignature, UsageError."""
    if given:
        try:
            key = bytes.fromhex(given)
        except ValueError:
            key = b""
        if len(key) != 32:
            raise click.UsageError("--public-key is 64 hex digits")
        return key
    own = _own(place)
    if own is None:
        raise click.UsageError("no identity lives here: give --public-key, from a source you trust")
    return own


def _own(place: Place) -> bytes | None:
    from freehold.core.crypto import Identity

    path = place.home / "identity.key"
    return Identity(path.read_bytes()).public if path.exists() else None
