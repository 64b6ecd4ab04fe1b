"""`freehold deploy render`: files that deploy this configuration elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from freehold.cli.commands import Verb
from freehold.cli.output import cell, emit_json, json_option, say
from freehold.cli.place import Place
from freehold.core.errors import BadRequest, Conflict

if TYPE_CHECKING:
    from freehold.assurance.deploying.types import Kind

KINDS = ("compose", "helm", "kubernetes", "systemd")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti)?\Z")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*\Z")


@click.command(cls=Verb)
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; else deploy-KIND here.")
@click.option("--overwrite", is_flag=True, help="Write over files that are there already.")
@click.option("--image", default="", help="Image of Freehold; else freehold:VERSION, as its Containerfile builds it.")
@click.option("--namespace", default="freehold", show_default=True, help="Namespace in the cluster.")
@click.option("--cpu", default="1", show_default=True, help="Processors that the instance asks for.")
@click.option("--memory", default="4Gi", show_default=True, help="Memory it asks for, and its limit.")
@click.option("--disk", default="20Gi", show_default=True, help="Size of its volume.")
@click.option(
    "--engines",
    "engines_as",
    type=click.Choice(("vllm", "kserve", "none")),
    default="none",
    show_default=True,
    help="How models of [engines] with a command are served in the cluster.",
)
@click.option("--engine-image", default="", help="Image of vLLM; KServe has one of its own.")
@click.option("--weights", multiple=True, metavar="ENGINE=URI", help="Where an engine's weights are: pvc://CLAIM/PATH.")
@click.option("--cidr", multiple=True, metavar="HOST=BLOCK", help="An address block of a host, for the NetworkPolicy.")
@click.option("--replicas", type=click.IntRange(0, 100), default=0, help="Pods that join the primary and serve too.")
@click.option("--cilium", is_flag=True, help="Also write policies by name, for clusters with Cilium.")
@json_option
@click.pass_obj
def render(place: Place, /, kind: Kind, out: Path | None, *, overwrite: bool, as_json: bool, **given: Any) -> None:
    """Write files that deploy this configuration: KIND is kubernetes, helm, compose or systemd.

    They hold the configuration and names of secrets, never a secret. The same input gives the same bytes.
    """
    from freehold.assurance.deploying.render import rendered
    from freehold.settings.deployment import site
    from freehold.settings.load import load

    found = site(load(place.config, place.home_option), _wanted(kind, **given))
    texts = rendered(found, kind)
    folder = out or Path(f"deploy-{kind}")
    there = [name for name in texts if (folder / name).exists()]
    if there and not overwrite:
        raise Conflict(f"{folder / there[0]} is there already", hint="write over it with --overwrite, or name --out")
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    if as_json:
        emit_json({"kind": kind, "folder": str(folder), "files": list(texts), "remarks": list(found.remarks)})
        return
    for name in texts:
        click.echo(cell(str(folder / name)))
    for remark in found.remarks:
        say(remark)
    say(f"what is yours to bring stands in {folder / 'NOTES.md'}")


def _wanted(kind: Kind, weights: tuple[str, ...], cidr: tuple[str, ...], **given: Any) -> Any:
    """The options, checked. Raises BadRequest."""
    from freehold import __version__
    from freehold.assurance.deploying.types import Size
    from freehold.settings.deployment import Wanted

    cluster = kind in ("kubernetes", "helm")
    for name in ("cpu", "memory", "disk"):
        if not _QUANTITY.match(given[name]):
            raise BadRequest(f"{given[name]!r} is no quantity", hint="such as 2, 500m, 4Gi", param=name)
    for name in ("image", "engine_image"):
        if given[name] and not _IMAGE.match(given[name]):
            raise BadRequest(f"{given[name]!r} is no name of an image", param=name)
    if not cluster and (given["engines_as"] != "none" or cidr or given["cilium"] or given["replicas"]):
        raise click.UsageError("--engines, --cidr, --cilium and --replicas are for kubernetes and helm")
    blocks: dict[str, tuple[str, ...]] = {}
    for host, block in _pairs(cidr):
        blocks[host] = tuple(sorted({*blocks.get(host, ()), _block(block)}))
    return Wanted(
        version=__version__,
        image=given["image"] or f"freehold:{__version__}",
        namespace=given["namespace"],
        size=Size(given["cpu"], given["memory"], given["disk"]),
        engines_as=given["engines_as"],
        engine_image=given["engine_image"],
        weights=dict(_pairs(weights)),
        blocks=blocks,
        cilium=given["cilium"],
        replicas=given["replicas"],
        contained=kind != "systemd",
    )


def _pairs(given: Iterable[str]) -> list[tuple[str, str]]:
    for one in given:
        if "=" not in one:
            raise click.UsageError(f"{one!r} has no =")
    return [cast("tuple[str, str]", tuple(one.split("=", 1))) for one in given]


def _block(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise BadRequest(f"{text!r} is no address block", hint="such as 192.0.2.0/24", param="cidr") from None
