"""Who may connect to whom in the cluster: everything closed, then the instance to its own origins, by address.

A NetworkPolicy knows address blocks and pods, no names. A name without blocks stays closed, unless Cilium's
policies, which know names, are written beside it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from freehold.assurance.deploying.types import DOCK_PORT, ENGINE_PORT, Site, Way
from freehold.assurance.deploying.writing import Document

INSTANCE = {"app.kubernetes.io/name": "freehold", "app.kubernetes.io/component": "instance"}
REPLICA = {**INSTANCE, "app.kubernetes.io/component": "replica"}
GATEWAYS = {"app.kubernetes.io/name": "freehold"}
"""What the pods of instance and replicas have in common: callers may be led to any."""
PART = {"app.kubernetes.io/part-of": "freehold"}
_DNS = {"k8s-app": "kube-dns"}
_DNS_NAMESPACE = "kube-system"


def address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The host as an address, or None where it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def closed(ways: Sequence[Way]) -> tuple[Way, ...]:
    """Those that a NetworkPolicy cannot let through, as nobody said which blocks they are at."""
    return tuple(one for one in ways if not one.blocks and _service(one.host) is None)


def engine_labels(name: str) -> dict[str, str]:
    """Labels of the pods that serve an engine's model."""
    return {"app.kubernetes.io/name": f"freehold-engine-{name}", "app.kubernetes.io/component": "engine"}


def policies(site: Site) -> list[Document]:
    """Closed by default for everything that is part of Freehold; then what is let through."""
    found = [
        _policy("freehold-closed", PART, {"policyTypes": ["Ingress", "Egress"]}),
        _policy(
            "freehold",
            INSTANCE,
            {
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [_callers(site), *([_only(REPLICA, DOCK_PORT)] if site.replicas else [])],
                "egress": _egress(site, site.ways),
            },
        ),
    ]
    if site.replicas:
        ways = [one for one in site.ways if one.purpose in ("models", "limits")]
        out = [*_egress(site, ways, by_name=True), _let({"podSelector": {"matchLabels": INSTANCE}}, DOCK_PORT)]
        spec = {"policyTypes": ["Ingress", "Egress"], "ingress": [_callers(site)], "egress": out}
        found.append(_policy("freehold-replica", REPLICA, spec))
    if site.engines_as == "vllm":
        let = [_only(_gateways(site), ENGINE_PORT)]
        found += [
            _policy(
                f"freehold-engine-{one.name}", engine_labels(one.name), {"policyTypes": ["Ingress"], "ingress": let}
            )
            for one in site.engines
        ]
    return found


def cilium(site: Site) -> list[Document]:
    """The names that a NetworkPolicy cannot let through, for a cluster whose network is Cilium's."""
    names = closed(site.ways)
    if not names:
        return []
    hosts = sorted({one.host for one in names})
    asked = {
        "toEndpoints": [
            {"matchLabels": {"k8s:io.kubernetes.pod.namespace": _DNS_NAMESPACE, "k8s:k8s-app": "kube-dns"}}
        ],
        "toPorts": [
            {
                "ports": [{"port": "53", "protocol": "ANY"}],
                "rules": {"dns": [{"matchName": one} for one in hosts]},
            }
        ],
    }
    ports = sorted({one.port for one in names})
    let = [
        {
            "toFQDNs": [{"matchName": one} for one in sorted({each.host for each in names if each.port == port})],
            "toPorts": [{"ports": [{"port": str(port), "protocol": "TCP"}]}],
        }
        for port in ports
    ]
    return [
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": {"name": "freehold-names", "labels": dict(PART)},
            "spec": {"endpointSelector": {"matchLabels": _gateways(site)}, "egress": [asked, *let]},
        }
    ]


def _callers(site: Site) -> Document:
    return {"ports": [{"protocol": "TCP", "port": site.port}]}


def _only(labels: dict[str, str], port: int) -> Document:
    return {"from": [{"podSelector": {"matchLabels": labels}}], "ports": [{"protocol": "TCP", "port": port}]}


def _gateways(site: Site) -> dict[str, str]:
    return GATEWAYS if site.replicas else INSTANCE


def _egress(site: Site, ways: Sequence[Way], *, by_name: bool = False) -> list[Document]:
    """Rules for a pod: name servers where there is a name (`by_name`: there is), blocks, services of the cluster."""
    found: list[Document] = []
    if by_name or site.engines or any(address(one.host) is None for one in ways):
        found.append(
            {
                "to": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": _DNS_NAMESPACE}},
                        "podSelector": {"matchLabels": _DNS},
                    }
                ],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }
        )
    blocks = sorted({(block, one.port) for one in ways for block in one.blocks})
    found += [_let({"ipBlock": {"cidr": block}}, port) for block, port in blocks]
    services = sorted({(name, one.port) for one in ways if not one.blocks and (name := _service(one.host))})
    found += [
        # The port is the service's. Where its pods listen on another one, that one must be written here by hand.
        _let({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}, port)
        for name, port in services
    ]
    for one in site.engines:
        label = engine_labels(one.name) if site.engines_as == "vllm" else {"app.kubernetes.io/name": _kserve(one.name)}
        found.append(_let({"podSelector": {"matchLabels": label}}, ENGINE_PORT))
    return found


def _kserve(name: str) -> str:
    return f"freehold-{name}"


def _service(host: str) -> str | None:
    """Namespace of a service of the cluster, by its name; None for any other host."""
    parts = host.removesuffix(".cluster.local").split(".")
    return parts[1] if len(parts) == 3 and parts[2] == "svc" else None


def _let(peer: Document, port: int) -> Document:
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": port}]}


def _policy(name: str, labels: dict[str, str], spec: dict[str, Any]) -> Document:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": dict(PART)},
        "spec": {"podSelector": {"matchLabels": labels}, **spec},
    }
