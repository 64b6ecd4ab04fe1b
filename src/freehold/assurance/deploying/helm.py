"""A Helm chart whose templates are the plain manifests, with places taken from values.yaml.

Invariant: every place is `{{ .Values.PATH | toJson }}` and nothing else of Helm's language is used, so that putting
the values' JSON into the places gives the plain manifests: JSON is YAML.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from freehold.assurance.deploying.types import Site
from freehold.assurance.deploying.writing import Document, documents, dumped

Path = tuple[str | int, ...]
_POD: Path = ("spec", "template", "spec")
_CONTAINER: Path = (*_POD, "containers", 0)
PLACES: tuple[tuple[str, str, Path, str], ...] = (
    ("ConfigMap", "freehold-configuration", ("data",), "configuration"),
    ("NetworkPolicy", "freehold", ("spec", "egress"), "network.egress"),
    ("NetworkPolicy", "freehold", ("spec", "ingress"), "network.ingress"),
    ("PodDisruptionBudget", "freehold", ("spec", "maxUnavailable"), "maxUnavailable"),
    ("Service", "freehold", ("spec", "type"), "service.type"),
    ("StatefulSet", "freehold", (*_CONTAINER, "env"), "environment"),
    ("StatefulSet", "freehold", (*_CONTAINER, "image"), "image"),
    ("StatefulSet", "freehold", (*_CONTAINER, "resources"), "resources"),
    (
        "StatefulSet",
        "freehold",
        ("spec", "volumeClaimTemplates", 0, "spec", "resources", "requests", "storage"),
        "storage",
    ),
    ("StatefulSet", "freehold-replica", ("spec", "replicas"), "replicas.count"),
    ("StatefulSet", "freehold-replica", (*_CONTAINER, "env"), "replicas.environment"),
    ("StatefulSet", "freehold-replica", (*_CONTAINER, "image"), "image"),
    ("StatefulSet", "freehold-replica", (*_CONTAINER, "resources"), "replicas.resources"),
    ("NetworkPolicy", "freehold-replica", ("spec", "egress"), "replicas.egress"),
)
"""Kind and name of a document, where in it, and the value's path."""
_MARK = re.compile(r"'?@@([A-Za-z.]+)@@'?")


def chart(site: Site, parts: dict[str, tuple[str, Sequence[Document]]]) -> dict[str, str]:
    """The chart's files. `parts` are the plain manifests by file name, with what stands above each."""
    values: Document = {}
    found: dict[str, str] = {}
    for name, (heading, plain) in parts.items():
        placed = [_placed(one, values) for one in plain]
        text = documents(placed, heading).replace("{{", '{{ "{{" }}')
        found[f"templates/{name}"] = _MARK.sub(r"{{ .Values.\1 | toJson }}", text)
    about = {
        "apiVersion": "v2",
        "name": "freehold",
        "description": "One instance of Freehold, made from its freehold.toml by `freehold deploy render helm`",
        "type": "application",
        "version": site.version,
        "appVersion": site.version,
        "kubeVersion": ">=1.29.0-0",
    }
    heading = "What the templates take; all else in them is fixed. The primary is one pod: only replicas have a count."
    return {
        "Chart.yaml": dumped(about),
        "values.yaml": documents([dict(sorted(values.items()))], heading),
        ".helmignore": "NOTES.md\nContainerfile\n",
        **found,
    }


def _placed(plain: Document, values: Document) -> Document:
    """A document with marks in its places; what stood there goes into the values."""
    made = copy.deepcopy(plain)
    made["metadata"].pop("namespace", None)
    for kind, name, path, value in PLACES:
        if (made["kind"], made["metadata"]["name"]) == (kind, name):
            holder: Any = made
            for step in path[:-1]:
                holder = holder[step]
            _put(values, value, holder[path[-1]])
            holder[path[-1]] = f"@@{value}@@"
    return made


def _put(values: Document, path: str, value: Any) -> None:
    *folders, last = path.split(".")
    for one in folders:
        values = values.setdefault(one, {})
    values[last] = value
