"""Plain Kubernetes manifests of one instance: one pod, one volume, as `freehold up` is one machine's.

Invariant: one replica, on a volume that one pod alone may mount. State is SQLite's and files'; two would corrupt it.
"""

from __future__ import annotations

from typing import Any

from freehold.assurance.deploying.network import GATEWAYS, INSTANCE, PART
from freehold.assurance.deploying.types import DOCK_PORT, DRAIN_SECONDS, FOLDER, HOME, TLS_FOLDER, USER, Site
from freehold.assurance.deploying.writing import Document

NAME = "freehold"
CONFIGURATION = "freehold-configuration"
VARIABLES = "freehold-variables"
"""The Secret with the environment variables that the configuration refers to."""
FILES = "freehold-files"
"""The Secret with the files that it refers to."""
TLS = "freehold-tls"
"""The Secret, of type kubernetes.io/tls, with the listener's certificate."""
_LABELS = {**PART, **INSTANCE}


def namespace(site: Site) -> Document:
    """The namespace, with the strictest of Kubernetes' own standards for pods."""
    labels = {**PART, "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": site.namespace, "labels": labels}}


def configuration(site: Site) -> list[Document]:
    """Who the pod is (nobody in the cluster), and what it is told."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": NAME, "labels": dict(PART)},
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIGURATION, "labels": dict(PART)},
            "data": {key_of(path): text for path, text in site.files},
        },
    ]


def instance(site: Site) -> list[Document]:
    """The StatefulSet, the service callers reach it by, and who may evict it."""
    spec = {
        "replicas": 1,
        "serviceName": f"{NAME}-pods",
        "selector": {"matchLabels": dict(INSTANCE)},
        "template": {"metadata": {"labels": dict(_LABELS)}, "spec": pod(site)},
        "volumeClaimTemplates": [home(site.size.disk)],
    }
    ports = [{"name": "calls", "port": site.port, "targetPort": "calls", "protocol": "TCP"}]
    chosen = dict(GATEWAYS if site.replicas else INSTANCE)
    return [
        made("apps/v1", "StatefulSet", NAME, spec),
        made("v1", "Service", NAME, {"type": "ClusterIP", "selector": chosen, "ports": ports}),
        made("v1", "Service", f"{NAME}-pods", {"clusterIP": "None", "selector": dict(INSTANCE), "ports": ports}),
        eviction(NAME, INSTANCE, 0),
    ]


def home(disk: str) -> Document:
    """The claim of a volume that one pod alone may mount."""
    spec = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": disk}}}
    return {"metadata": {"name": "home"}, "spec": spec}


def eviction(name: str, labels: dict[str, str], most: int) -> Document:
    """How many of those pods may be evicted at once."""
    return made(
        "policy/v1", "PodDisruptionBudget", name, {"maxUnavailable": most, "selector": {"matchLabels": dict(labels)}}
    )


def key_of(path: str) -> str:
    """A file's name among the keys of a ConfigMap or Secret: its path with what keys may not hold as dashes."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in path.strip("/"))
    return kept or "file"


def locked() -> Document:
    """What no container of ours needs is taken from it."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def nobody(user: int) -> Document:
    """A pod that runs as no account of the machine's."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod(site: Site) -> Document:
    """A pod of `freehold up`."""
    ports = [{"name": "calls", "containerPort": site.port, "protocol": "TCP"}]
    if site.replicas:
        ports.append({"name": "dock", "containerPort": DOCK_PORT, "protocol": "TCP"})
    container: Document = {
        "name": NAME,
        "image": site.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["up"],
        "env": environment(site),
        "ports": ports,
        "startupProbe": {**_probe(site, "/healthz"), "periodSeconds": 5, "failureThreshold": 60},
        "livenessProbe": {**_probe(site, "/healthz"), "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**_probe(site, "/readyz"), "periodSeconds": 5, "failureThreshold": 2},
        "resources": {
            "requests": {"cpu": site.size.cpu, "memory": site.size.memory},
            "limits": {"memory": site.size.memory},
        },
        "securityContext": locked(),
        "volumeMounts": _mounts(site),
    }
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": DRAIN_SECONDS,
        "securityContext": nobody(USER),
        "containers": [container],
        "volumes": _volumes(site),
    }


def environment(site: Site) -> list[Document]:
    """Plain variables, then secrets by reference. A secret that is not there leaves its targets out, as in `up`."""
    plain: list[Document] = [{"name": name, "value": value} for name, value in site.environment]
    held = [_secret(name, VARIABLES, name) for name in site.variables]
    keys = [_secret(variable_of(one.name), f"{NAME}-engine-keys", one.name) for one in site.engines]
    return [*plain, *held, *keys]


def variable_of(engine: str) -> str:
    """The variable by which the instance has an engine's key."""
    return f"ENGINE_KEY_{engine.upper().replace('-', '_')}"


def _secret(variable: str, name: str, key: str) -> Document:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key, "optional": True}}}


def _probe(site: Site, path: str) -> Document:
    asked: dict[str, Any] = {"path": path, "port": "calls", "scheme": "HTTPS" if site.tls else "HTTP"}
    asked["httpHeaders"] = [{"name": "Host", "value": site.host_header}]
    return {"httpGet": asked, "timeoutSeconds": 3}


def _mounts(site: Site) -> list[Document]:
    found: list[Document] = [
        {"name": "home", "mountPath": HOME},
        {"name": "configuration", "mountPath": FOLDER, "readOnly": True},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  the pod's own, in a volume of its own
    ]
    if site.tls:
        found.append({"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True})
    found += [
        {"name": "files", "mountPath": one.inside, "subPath": one.key, "readOnly": True}
        for one in site.secret_files
        if not _below(one.inside)
    ]
    return found


def _volumes(site: Site) -> list[Document]:
    """The configuration's folder is one projection: its files, its secrets, the engines' authorities."""
    told = [{"key": key_of(path), "path": path} for path, _ in site.files]
    sources: list[Document] = [{"configMap": {"name": CONFIGURATION, "items": told}}]
    held = [{"key": one.key, "path": one.inside[len(FOLDER) + 1 :]} for one in site.secret_files if _below(one.inside)]
    if held:
        sources.append({"secret": {"name": FILES, "items": held, "optional": True}})
    for one in site.engines:
        authority = {"key": "ca.crt", "path": authority_of(one.name)}
        sources.append(
            {"secret": {"name": certificate_of(one.name, site.engines_as), "items": [authority], "optional": True}}
        )
    found: list[Document] = [
        {"name": "configuration", "projected": {"defaultMode": 0o440, "sources": sources}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}},
    ]
    if site.tls:
        found.append({"name": "tls", "secret": {"secretName": TLS, "defaultMode": 0o440}})
    if any(not _below(one.inside) for one in site.secret_files):
        found.append({"name": "files", "secret": {"secretName": FILES, "defaultMode": 0o440}})
    return found


def authority_of(engine: str) -> str:
    """Where below the configuration's folder the authority of an engine's certificate lies."""
    return f"engines/{engine}.crt"


def certificate_of(engine: str, served_as: str) -> str:
    """The Secret with an engine's certificate: made by KServe, or by you (with its authority as `ca.crt`)."""
    if served_as == "kserve":
        return f"{NAME}-{engine}-kserve-self-signed-certs"
    return f"{NAME}-engine-{engine}-tls"


def _below(path: str) -> bool:
    return path.startswith(f"{FOLDER}/")


def made(version: str, kind: str, name: str, spec: Document) -> Document:
    """A document that is part of Freehold."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": dict(PART)}, "spec": spec}
