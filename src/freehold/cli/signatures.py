"""`freehold models sign | check-signature`: makers' signatures over files on this machine, with no instance running."""

from __future__ import annotations

from pathlib import Path

import click

from freehold.cli.commands import Verb
from freehold.cli.output import cell, emit_json, json_option, mark
from freehold.cli.place import Place
from freehold.core.errors import BadArtefact, BadRequest

GATE = 4
_PEM = click.Path(path_type=Path, dir_okay=False, exists=True)
_MODEL = click.Path(path_type=Path, exists=True)


@click.command(cls=Verb)
@click.argument("model", type=_MODEL)
@click.option("--key", type=_PEM, help="Private key (PEM, unencrypted); else this installation's identity signs.")
@click.option(
    "--certificates", type=_PEM, help="Its certificates (PEM), the signer's first; else the key alone counts."
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else model.sig in it.")
@json_option
@click.pass_obj
def sign(
    place: Place, model: Path, key: Path | None, certificates: Path | None, output: Path | None, *, as_json: bool
) -> None:
    """Sign a folder or file of weights, in the OpenSSF Model Signing format.

    Other tools of the format check what is signed with a key on P-256, P-384 or P-521; the identity's own, Ed25519,
    is checked by Freehold.
    """
    from freehold.core.crypto import Identity
    from freehold.registry.papers import signing

    if certificates and not key:
        raise BadRequest("certificates need the key they are of", hint="add --key FILE")
    chain = certificates.read_bytes() if certificates else b""
    identity = place.home / "identity.key"
    if not key and not identity.is_file():
        raise BadRequest(f"{place.home} has no identity yet", hint="sign with a key of yours: --key FILE")
    signer = signing.by_key(key.read_bytes(), chain) if key else signing.by_identity(Identity.load(identity))
    target = output or _beside(model)
    files = signing.digests(model)
    target.write_bytes(signing.sign(model.resolve().name, files, signer))
    found = {"file": str(target), "files": len(files), "signer": signer.hint}
    if as_json:
        emit_json(found)
    else:
        click.echo(f"signed {len(files)} files of {cell(model)} as {signer.hint[:16]}: {cell(target)}")


@click.command("check-signature", cls=Verb)
@click.argument("model", type=_MODEL)
@click.option("--signature", type=_PEM, help="The signature; else model.sig in the folder, or beside the file.")
@click.option("--key", "keys", type=_PEM, multiple=True, help="Public key (PEM) that counts; besides [models] signers.")
@click.option("--authority", "authorities", type=_PEM, multiple=True, help="Certificate authority (PEM) that counts.")
@json_option
@click.pass_obj
def check_signature(
    place: Place,
    /,
    model: Path,
    signature: Path | None,
    keys: tuple[Path, ...],
    authorities: tuple[Path, ...],
    *,
    as_json: bool,
) -> int:
    """Check a maker's signature over a folder or file: whose it is, and that it is about exactly these files.

    Exits with 4 where it is not good.
    """
    from freehold.registry.papers import signing
    from freehold.settings.admission import rules
    from freehold.settings.load import load

    file = signature or _beside(model)
    known = rules(load(place.config, place.home_option)).trust
    counts = signing.Trust(
        keys=(*known.keys, *(one.read_bytes() for one in keys)),
        authorities=(*known.authorities, *(one.read_bytes() for one in authorities)),
    )
    try:
        found = signing.check(file.read_bytes(), signing.digests(model), counts)
    except BadArtefact as error:
        said: dict[str, object] = {"good": False, "method": "none", "signer": "", "reason": error.message}
    else:
        reason = "every file is as it was signed"
        said = {"good": True, "method": found.method, "signer": found.signer, "reason": reason}
    if as_json:
        emit_json(said)
    else:
        shown = mark("ok", "green") if said["good"] else mark("fail", "red")
        click.echo(f"{shown} {cell(model)}: {cell(said['reason'])}{cell(_by(said))}")
    return 0 if said["good"] else GATE


def _by(said: dict[str, object]) -> str:
    return f", by {said['method']} {said['signer']}" if said["good"] else ""


def _beside(model: Path) -> Path:
    from freehold.registry.papers.signing import FILE_NAME

    return model / FILE_NAME if model.is_dir() else model.with_name(f"{model.name}.sig")


VERBS: tuple[click.Command, ...] = (check_signature, sign)
"""What `freehold models` takes on."""
