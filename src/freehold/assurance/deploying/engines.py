"""Owned models in a cluster: plain vLLM deployments, or KServe's LLMInferenceService, from `[engines]`.

Form of the second: serving.kserve.io/v1alpha2, KServe's samples for it (docs/samples/llmisvc), read 2026-11-23.
"""

from __future__ import annotations

import shlex

from freehold.assurance.deploying.manifests import certificate_of, locked, nobody
from freehold.assurance.deploying.network import PART, engine_labels
from freehold.assurance.deploying.types import ENGINE_PORT, USER, Engine, Site
from freehold.assurance.deploying.writing import Document

KEYS = "freehold-engine-keys"
"""The Secret with each engine's key under the engine's name: the engine and the instance read the same."""
PVC = "pvc://"
_MODELS = "/models"
_START_TRIES = 180
"""Times ten seconds: large weights are long in coming."""


def served(site: Site) -> list[Document]:
    """Documents of every engine, by the way that was chosen."""
    if site.engines_as == "kserve":
        return [inference_service(one) for one in site.engines]
    if site.engines_as == "vllm":
        return [each for one in site.engines for each in (_deployment(one), _service(one))]
    return []


def inference_service(one: Engine) -> Document:
    """The model as KServe is told of it: it fetches the weights, runs vLLM over TLS and routes to it."""
    container: Document = {
        "name": "main",
        **({"image": one.image} if one.image else {}),
        "env": _environment(one),
        "resources": _resources(one),
    }
    extra = _arguments(one)
    if extra:
        # KServe's own template starts the server and reads further arguments from here.
        container["env"].append({"name": "VLLM_ADDITIONAL_ARGS", "value": shlex.join(extra)})
    return {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {"name": f"freehold-{one.name}", "labels": dict(PART)},
        "spec": {
            "model": {"uri": one.uri, "name": one.model},
            "replicas": 1,
            "router": {"route": {}},
            "template": {"containers": [container]},
        },
    }


def _deployment(one: Engine) -> Document:
    claim, _, path = one.uri.removeprefix(PVC).partition("/")
    labels = {**PART, **engine_labels(one.name)}
    probe = {"httpGet": {"path": "/health", "port": "model", "scheme": "HTTPS"}, "timeoutSeconds": 5}
    arguments = ["--model", f"{_MODELS}/{path}", "--served-model-name", one.model, "--port", str(ENGINE_PORT)]
    arguments += ["--ssl-certfile", "/tls/tls.crt", "--ssl-keyfile", "/tls/tls.key", *_arguments(one)]
    container = {
        "name": "vllm",
        "image": one.image,
        "args": arguments,
        "env": _environment(one),
        "ports": [{"name": "model", "containerPort": ENGINE_PORT, "protocol": "TCP"}],
        "startupProbe": {**probe, "periodSeconds": 10, "failureThreshold": _START_TRIES},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "resources": _resources(one),
        "securityContext": locked(),
        "volumeMounts": [
            {"name": "models", "mountPath": _MODELS, "readOnly": True},
            {"name": "tls", "mountPath": "/tls", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  the pod's own, in a volume of its own
            {"name": "shared", "mountPath": "/dev/shm"},  # noqa: S108  where its processes share tensors
        ],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": nobody(USER),
        "containers": [container],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}},
            {"name": "tls", "secret": {"secretName": certificate_of(one.name, "vllm"), "defaultMode": 0o440}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "shared", "emptyDir": {"medium": "Memory"}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service_of(one.name), "labels": dict(PART)},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # a second one would need a second set of accelerators
            "selector": {"matchLabels": engine_labels(one.name)},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _service(one: Engine) -> Document:
    ports = [{"name": "model", "port": ENGINE_PORT, "targetPort": "model", "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_of(one.name), "labels": dict(PART)},
        "spec": {"type": "ClusterIP", "selector": engine_labels(one.name), "ports": ports},
    }


def service_of(engine: str) -> str:
    """The service of a plain deployment."""
    return f"freehold-engine-{engine}"


def address_of(engine: str, namespace: str, served_as: str) -> str:
    """Where the instance asks an engine. KServe makes a service of this name for each of its own."""
    name = f"freehold-{engine}-kserve-workload-svc" if served_as == "kserve" else service_of(engine)
    return f"https://{name}.{namespace}.svc.cluster.local:{ENGINE_PORT}/v1"


def _arguments(one: Engine) -> list[str]:
    length = ["--max-model-len", str(one.context_tokens)] if one.context_tokens else []
    return [*length, *one.arguments]


def _environment(one: Engine) -> list[Document]:
    """Nothing is fetched and nothing told while it runs; its key is the instance's."""
    plain = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "HOME": "/tmp",  # noqa: S108  the pod's own, in a volume of its own
        **dict(one.environment),
    }
    key = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": KEYS, "key": one.name}}}
    return [*({"name": name, "value": value} for name, value in plain.items()), key]


def _resources(one: Engine) -> Document:
    held = {"nvidia.com/gpu": str(one.gpus)}
    return {"requests": dict(held), "limits": held}
