"""Replicas in the cluster: pods that join the primary and serve beside it, each on a small volume of its own.

A volume, since what a replica has not shipped waits in its home. Names that stay, since each has a token of its own.
"""

from __future__ import annotations

from msgspec.structs import replace

from freehold.assurance.deploying.manifests import NAME, eviction, home, made, pod
from freehold.assurance.deploying.network import INSTANCE, PART, REPLICA
from freehold.assurance.deploying.types import DOCK_PORT, Site
from freehold.assurance.deploying.writing import Document

REPLICAS = "freehold-replica"
JOINS = "freehold-replicas"
"""The Secret with the files to join with, one a pod, under the pod's name."""
DOCK = "freehold-dock"
_FOLDER = "/etc/freehold-join"
_DISK = "5Gi"


def dock_of(namespace: str) -> str:
    """HOST:PORT by which replicas reach the dock."""
    return f"{DOCK}.{namespace}.svc.cluster.local:{DOCK_PORT}"


def names(site: Site) -> tuple[str, ...]:
    """Of the pods, and of the replicas."""
    return tuple(f"{REPLICAS}-{number}" for number in range(site.replicas))


def replicas(site: Site) -> list[Document]:
    """The dock's service, the StatefulSet, and who may evict how many at once. Nothing without replicas."""
    if not site.replicas:
        return []
    ports = [{"name": "dock", "port": DOCK_PORT, "targetPort": "dock", "protocol": "TCP"}]
    # Also while the primary's gateway drains: what is left to ship goes there.
    dock = {"type": "ClusterIP", "selector": dict(INSTANCE), "ports": ports, "publishNotReadyAddresses": True}
    calls = [{"name": "calls", "port": site.port, "targetPort": "calls", "protocol": "TCP"}]
    spec = {
        "replicas": site.replicas,
        "serviceName": f"{REPLICAS}-pods",
        "podManagementPolicy": "Parallel",
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "selector": {"matchLabels": dict(REPLICA)},
        "template": {"metadata": {"labels": {**PART, **REPLICA}}, "spec": _pod(site)},
        "volumeClaimTemplates": [home(_DISK)],
    }
    return [
        made("v1", "Service", DOCK, dock),
        made("apps/v1", "StatefulSet", REPLICAS, spec),
        made("v1", "Service", f"{REPLICAS}-pods", {"clusterIP": "None", "selector": dict(REPLICA), "ports": calls}),
        eviction(REPLICAS, REPLICA, 1),
    ]


def _pod(site: Site) -> Document:
    """The primary's, with less: no secret that it has no use for, no way in but its calls."""
    found = pod(replace(site, replicas=0, variables=site.replica_variables, secret_files=site.replica_files))
    (container,) = found["containers"]
    container["args"] = ["up", "--join", f"{_FOLDER}/$(POD_NAME)"]
    name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    container["env"] = [name, *container["env"]]  # first: the arguments refer to it
    container["volumeMounts"].append({"name": "join", "mountPath": _FOLDER, "readOnly": True})
    found["volumes"].append({"name": "join", "secret": {"secretName": JOINS, "defaultMode": 0o440}})
    found["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(REPLICA)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
    return found


def notes(site: Site) -> list[str]:
    """How the pods get their files to join with."""
    if not site.replicas:
        return []
    own = names(site)
    kubectl = f"kubectl -n {site.namespace}"
    added = [
        f"{kubectl} exec {NAME}-0 -- sh -c "
        f"'freehold replicas add {one} --out /tmp/{one} >/dev/null && cat /tmp/{one} && rm /tmp/{one}' > {one}"
        for one in own
    ]
    files = " ".join(f"--from-file={one}" for one in own)
    lines = [
        "",
        f"Replicas wait for the Secret `{JOINS}`. Once, when the primary runs:",
        "",
        "```sh",
        *added,
    ]
    lines += [f"{kubectl} create secret generic {JOINS} {files}", f"rm {' '.join(own)}", "```"]
    told = "The files hold tokens and the instance's data key. To upgrade, apply `replicas.yaml` first and wait for it."
    return [*lines, "", told]
