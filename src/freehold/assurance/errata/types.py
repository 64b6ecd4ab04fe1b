"""Advisories: signed notices about engines, models, templates, adapters, guard rules, price lists and vendors' models.

Invariant: what could not be matched is `unknown`, never clean.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Subject = Literal["engine", "model", "adapter", "template", "guard", "prices", "vendor-model", "tool"]
Standing = Literal["affected", "patched", "fixed", "not_affected", "unknown"]
"""`patched`: affected, and a virtual patch keeps the trigger away."""


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """What an advisory is about: any of these that is given must match."""

    purl: str = ""
    """Package URL without a version: `pkg:pypi/vllm`."""
    versions: str = ""
    """Range in `vers` notation; empty for all."""
    fixed: str = ""
    digests: tuple[str, ...] = ()
    """SHA-256 of files or manifests, in hex."""
    licences: tuple[str, ...] = ()


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """One notice."""

    id: str
    """`FHSA-YYYY-NNNN`, or the id of its source: `CVE-...`, `GHSA-...`."""
    aliases: tuple[str, ...] = ()
    subject: Subject
    title: str
    kind: str
    """`code execution`, `denial of service`, `retirement`, `licence change`, ..."""
    trigger: str = ""
    cvss: float | None = None
    affected: tuple[Affected, ...] = ()
    workaround: str = ""
    certainty: Literal["high", "medium", "low"] = "high"
    published: str = ""
    """Date, ISO 8601."""
    source: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory against one thing that is here."""

    advisory: str
    what: str
    """Name of the model, engine, target or rule here."""
    standing: Standing
    via: tuple[str, ...] = ()
    """The way along the lineage: an adapter inherits what its base has."""
    reason: str = ""
    fix: str = ""
