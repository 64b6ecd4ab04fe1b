"""A site's files, by kind. The same site gives the same files with the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from freehold.assurance.deploying import engines, helm, manifests, network, replicas, systemd
from freehold.assurance.deploying.compose import compose
from freehold.assurance.deploying.manifests import FILES, TLS, VARIABLES
from freehold.assurance.deploying.types import Kind, Site
from freehold.assurance.deploying.writing import Document, documents

_ONE = """\
One instance is one pod on one volume: its state is a SQLite database and files, which one machine alone may write.
Do not raise `replicas` here: `--replicas` writes gateways beside it. An update stops the old pod, which drains, before
the new one starts: without replicas callers wait or retry.
Nobody evicts the only pod by the way (PodDisruptionBudget); to empty its node, delete the pod when callers can wait."""
_MORE = """\
Gateways that serve by the primary's keys, routes and policy, as many as you like; see NOTES.md for how they join it."""
_NET = """\
Everything closed, then the instance to its configured origins. A NetworkPolicy knows addresses and pods, no names;
it holds only where the cluster's network enforces it. See NOTES.md for what is closed for want of an address."""
_TOLD = "The configuration as it is; the pod's environment says what differs in it. No secret stands here."
_ENGINES = "Owned models of [engines]. Weights, certificates and keys are named here and brought by you: see NOTES.md."


def rendered(site: Site, kind: Kind) -> dict[str, str]:
    """Every file's text by its path below the folder that is asked for, sorted."""
    notes = {"NOTES.md": _notes(site, kind)}
    if kind == "systemd":
        found = {
            "freehold.service": systemd.unit(site, _data("freehold.service")),
            "freehold.sysusers.conf": systemd.account(),
            "freehold.env.example": systemd.variables(site),
        }
    elif kind == "compose":
        heading = "One instance on one machine. Names of variables without a value are handed on from the shell."
        told = dict(site.files)
        found = {"compose.yaml": documents([compose(site)], heading), **told, "Containerfile": _data("Containerfile")}
    elif kind == "helm":
        found = {**helm.chart(site, _parts(site)), "Containerfile": _data("Containerfile")}
    else:
        parts = {"namespace.yaml": ("", [manifests.namespace(site)]), **_parts(site)}
        found = {name: documents(_placed(plain, site), heading) for name, (heading, plain) in parts.items()}
        found["Containerfile"] = _data("Containerfile")
    return dict(sorted({**found, **notes}.items()))


def _parts(site: Site) -> dict[str, tuple[str, Sequence[Document]]]:
    found: dict[str, tuple[str, Sequence[Document]]] = {
        "configuration.yaml": (_TOLD, manifests.configuration(site)),
        "instance.yaml": (_ONE, manifests.instance(site)),
        "replicas.yaml": (_MORE, replicas.replicas(site)),
        "network.yaml": (_NET, network.policies(site)),
        "engines.yaml": (_ENGINES, engines.served(site)),
        "network-names.yaml": ("For clusters whose network is Cilium's.", network.cilium(site) if site.cilium else []),
    }
    return {name: (heading, plain) for name, (heading, plain) in found.items() if plain}


def _placed(plain: Sequence[Document], site: Site) -> list[Document]:
    """Into the namespace, all but the namespace itself."""
    return [
        one if one["kind"] == "Namespace" else {**one, "metadata": {**one["metadata"], "namespace": site.namespace}}
        for one in plain
    ]


def _notes(site: Site, kind: Kind) -> str:
    lines = ["# What is yours to bring", "", *_secrets(site, kind)]
    if kind in ("kubernetes", "helm"):
        shut = network.closed(site.ways)
        if shut and not site.cilium:
            lines += [
                "",
                "Closed, since a NetworkPolicy knows no names. Give their blocks with --cidr HOST=BLOCK, write",
            ]
            lines += ["Cilium's policies with --cilium, or lead them through an egress gateway of your cluster:", ""]
            lines += [f"- {one.host}:{one.port} ({one.purpose})" for one in shut]
    elif site.ways:
        lines += ["", "The machine's own firewall for these origins: `freehold policy firewall`.", ""]
        lines += [f"- {one.host}:{one.port} ({one.purpose})" for one in site.ways]
    lines += replicas.notes(site)
    lines += ["", "The first start prints a first key, which its log then holds: revoke it once you made your own."]
    if site.remarks:
        lines += ["", "To be seen to:", "", *(f"- {one}" for one in site.remarks)]
    return "\n".join(lines) + "\n"


def _secrets(site: Site, kind: Kind) -> list[str]:
    """Names of secrets and of their keys. Their values are nowhere in these files."""
    if kind in ("compose", "systemd"):
        found = [f"- the environment variable `{one}`" for one in site.variables]
        found += [f"- the file `{one.here}`" for one in site.secret_files]
        if site.tls and kind == "compose":
            found.append("- the folder `tls` with `tls.crt` and `tls.key`, readable by the container's user")
        return found or ["No secret."]
    found = []
    if site.variables:
        found.append(f"- Secret `{VARIABLES}`, keys: {_listed(site.variables)}")
    if site.secret_files:
        found.append(f"- Secret `{FILES}`, keys: {_listed([one.key for one in site.secret_files])}")
    if site.tls:
        found.append(f"- Secret `{TLS}` of type kubernetes.io/tls, for the gateway's listener")
    if site.engines:
        found.append(f"- Secret `{engines.KEYS}`, keys: {_listed([one.name for one in site.engines])}")
    if site.engines_as == "vllm":
        found += [
            f"- Secret `{manifests.certificate_of(one.name, 'vllm')}`: tls.crt and tls.key for "
            f"{engines.service_of(one.name)}.{site.namespace}.svc.cluster.local, and ca.crt; the claim of `{one.uri}`"
            for one in site.engines
        ]
    found.append(f"- the image `{site.image}`, which `Containerfile` builds from what `make wheelhouse` wrote")
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{one}`" for one in names)


def _data(name: str) -> str:
    return (files("freehold.assurance.deploying") / "data" / name).read_text(encoding="utf-8")
