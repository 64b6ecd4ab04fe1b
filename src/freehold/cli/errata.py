"""`freehold errata`: advisories about engines, models, adapters, templates, rules and vendors' models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

_LOUD = ("affected", "unknown")


@click.group(cls=Noun)
def errata() -> None:
    """Advisories: what is known of flaws in what is here, what keeps them away meanwhile, and what mends them."""


@errata.command()
@json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Match every advisory with engines, tools, models, adapters and targets here.

    Exit 4 where something is affected and no virtual patch holds it off, or where nobody can tell: unknown is not
    clean.
    """
    place = ctx.find_object(Place)
    assert place is not None
    found = place.client().get("/api/errata")
    if as_json:
        emit_json(found)
    else:
        rows = [one for one in found if one["standing"] in (*_LOUD, "patched")]
        table(
            [{**one, "via": " < ".join(one["via"])} for one in rows],
            [(name, name) for name in ("standing", "what", "advisory", "via", "reason", "fix")],
        )
        counts = {name: sum(one["standing"] == name for one in found) for name in (*_LOUD, "patched", "fixed")}
        say(", ".join(f"{count} {name}" for name, count in counts.items()))
    if any(one["standing"] in _LOUD for one in found):
        ctx.exit(4)


@errata.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List every advisory known here, with its virtual patch."""
    found = place.client().get("/api/errata/advisories")
    if as_json:
        emit_json(found)
        return
    rows = [{**one, "patch": _patch(one), "package": ", ".join(_package(one))} for one in found]
    table(rows, [(name, name) for name in ("id", "subject", "package", "kind", "cvss", "certainty", "patch", "title")])


@errata.command()
@click.argument("advisory")
@json_option
@click.pass_obj
def show(place: Place, advisory: str, *, as_json: bool) -> None:
    """Print one advisory."""
    one = place.client().get(f"/api/errata/advisories/{segment(advisory)}")
    if as_json:
        emit_json(one)
        return
    plain = [(name, one[name]) for name in ("id", "title", "subject", "kind", "trigger", "cvss", "certainty")]
    plain += [
        ("affects", " ".join(part for part in each.values() if part and isinstance(part, str)))
        for each in one["affected"]
    ]
    patch = one["patch"]
    plain += [("patch", f"{patch['side']}: {patch['said']}" if patch else "none")]
    fields([*plain, ("workaround", one["workaround"]), ("published", one["published"]), ("source", one["source"])])


@errata.command("import")
@click.argument("source")
@click.option("--key", "keys", multiple=True, help="Public key, in hex, whose signatures count. May be given again.")
@click.option("--unsigned", is_flag=True, help="Take in documents that nobody signed; they stay marked.")
@json_option
@click.pass_obj
def import_(place: Place, source: str, keys: tuple[str, ...], *, unsigned: bool, as_json: bool) -> None:
    """Take in SOURCE: a CSAF 2.0 or OSV document, a folder of them, or a feed in a registry (oci://HOST/NAME:TAG).

    Signatures stand in files ending in .ed25519.

    All or nothing: where one document is not signed by a key that counts, none is taken in.
    """
    import tempfile

    from freehold.assurance.errata import feeds

    with tempfile.TemporaryDirectory() as folder:
        remote = source.startswith("oci://")
        at = feeds.fetched(source, _credential(place, source), Path(folder)) if remote else Path(source)
        read = [_checked(path, keys, unsigned=unsigned) for path in feeds.documents(at)]
    client = place.client()
    taken = [client.post("/api/errata/documents", one) for one in read]
    if as_json:
        emit_json(taken)
    else:
        count = sum(len(one["advisories"]) for one in taken)
        say(f"{count} advisories of {len(taken)} documents; what they mean here: freehold errata check")


@errata.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; this one, without."
)
@click.option("--push", default="", help="Also put it into a registry, as a feed: oci://HOST/NAME:TAG.")
@json_option
@click.pass_obj
def publish(place: Place, file: Path, out: Path, push: str, *, as_json: bool) -> None:
    """Make a signed CSAF 2.0 document of the advisory in FILE (JSON with the fields `errata show --json` prints).

    Without an id it gets the next free FHSA-YYYY-NNNN. The document and its signature are written beside each other.
    """
    import msgspec

    from freehold.assurance.errata import csaf, feeds
    from freehold.assurance.errata.types import Advisory
    from freehold.core.clock import iso
    from freehold.core.crypto import Identity
    from freehold.core.errors import BadRequest

    now = time.time()
    try:
        told = msgspec.json.decode(file.read_bytes())
        told.pop("patch", None)
        told.setdefault("id", feeds.next_id(feeds.everything(place.home), time.gmtime(now).tm_year))
        advisory = msgspec.convert(told, Advisory)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError) as error:
        raise BadRequest(f"{file.name} is no advisory: {error}", param=str(file)) from None
    identity = Identity.load(place.home / "identity.key")
    data = msgspec.json.format(msgspec.json.encode(csaf.document(advisory, iso(now))), indent=1)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{advisory.id.lower()}.json"
    path.write_bytes(data)
    path.with_name(path.name + feeds.SIGNATURE).write_text(identity.sign(data).hex() + "\n")
    digest = feeds.pushed(push, _credential(place, push), feeds.documents(out)) if push else ""
    if as_json:
        emit_json({"file": str(path), "id": advisory.id, "key": identity.public.hex(), "digest": digest})
    else:
        click.echo(f"{path}, signed by {identity.public.hex()}{f', pushed as {digest}' if digest else ''}")


def _checked(path: Path, keys: tuple[str, ...], *, unsigned: bool) -> dict[str, str]:
    """A document as the API takes it. Raises BadSignature, or BadArtefact for what is none."""
    from freehold.assurance.errata import feeds
    from freehold.core.errors import BadSignature

    data = path.read_bytes()
    signer, signature = feeds.signed_by(path, data, keys)
    if not signer and not unsigned:
        raise BadSignature(f"{path.name} is not signed", param=str(path), hint="take it in all the same: --unsigned")
    feeds.parse(data, path.name)
    return {"name": path.name, "content": data.decode(), "key": signer, "signature": signature}


def _credential(place: Place, reference: str) -> str:
    """What [models] credentials say for the registry."""
    from freehold.registry.oci import parsed
    from freehold.settings.environment import resolve_secret
    from freehold.settings.load import load

    held = load(place.config, place.home_option).settings.models.credentials
    return resolve_secret(held.get(parsed(reference).host, ""))


def _patch(one: dict[str, Any]) -> str:
    return one["patch"]["side"] if one["patch"] else ""


def _package(one: dict[str, Any]) -> list[str]:
    return [each["purl"] or ", ".join(each["licences"]) or "bytes" for each in one["affected"]]
