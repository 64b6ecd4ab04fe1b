"""What a guard saw of a call, as one text for its row and its receipt: JSON without floats. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.ledger.frames import Scan

_encode = msgspec.json.Encoder(order="sorted").encode


def scan_text(request: Scan | None, answer: Scan | None) -> str:
    """Empty where nothing was scanned, and no label was lowered."""
    if request is None:
        return ""
    found: dict[str, Any] = {}
    if request.guard:
        found["guard"] = request.guard
        found["guard_sha256"] = request.digest
        found["request"] = {"label_before": request.label, "unread": request.unread, **_side(request)}
        if request.stand_ins:
            found["request"]["stand_ins"] = request.stand_ins
    if request.lowered:
        label, _, why = request.lowered.partition("; ")
        found["lowered"] = {"from": request.label, "to": label, "why": why}
    if answer is not None:
        found["answer"] = {"label": answer.label, **_side(answer)}
    return _encode(found).decode()


def _side(scan: Scan) -> dict[str, Any]:
    kinds = {f"{detector}/{kind}": count for detector, kind, count in scan.found}
    return {"characters": scan.characters, "found": kinds, "failed": list(scan.failed)}
