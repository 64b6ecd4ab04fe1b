"""What happened to a move, in words: one line an event, with metric, value and bound where a metric decided. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event for people."""

    number: int
    at: float
    actor: str
    what: str
    why: str = ""
    metric: str = ""
    value: float | None = None
    bound: float | None = None
    kind: str = "plain"


_KINDS = {"refused": "warn", "rolled_back": "bad", "owned": "good"}


def told(event: dict[str, Any]) -> Told:
    """An event of a move, as the API has it."""
    content = event["content"]
    what, kind = _what(event["kind"], content)
    value, bound = content.get("value"), content.get("bound")
    return Told(
        number=event["number"],
        at=event["at"],
        actor=event["actor"],
        what=what,
        why=str(content.get("why") or content.get("verdict") or ""),
        metric=str(content.get("metric", "")),
        value=value if isinstance(value, int | float) else None,
        bound=bound if isinstance(bound, int | float) else None,
        kind=kind,
    )


def _swept(metrics: dict[str, Any]) -> str:
    """Which variant of a sweep was taken; empty without one."""
    rows = metrics.get("sweep", ())
    best = next((one for one in rows if one.get("chosen")), None)
    if best is None:
        return ""
    options = " ".join(f"{name}={value}" for name, value in best["options"].items())
    return f", best of {len(rows)} variants: {options}, loss {best['loss_after']:.4g}"


def _what(kind: str, content: dict[str, Any]) -> tuple[str, str]:
    if kind == "stage":
        to = str(content.get("to", ""))
        share = content.get("share", 0.0)
        word = to.replace("_", " ")
        word = f"{word}, {share:.0%} of the calls" if to in ("canary", "owned") else word
        return word, _KINDS.get(to, "info")
    if kind == "maturity":
        return f"workflow {content.get('verdict', '')}, score {content.get('score', 0):.2f}", "plain"
    if kind == "data":
        return f"data read: {content.get('train', 0):,} to train, {content.get('test', 0):,} to test", "plain"
    if kind == "scorecard":
        mean = content.get("difference", {}).get("mean", 0.0)
        far = f"{100 * mean:+.1f} points on {content.get('pairs', 0):,} calls"
        return f"{content.get('target', '')} evaluated: {far}", "plain"
    if kind == "tuned":
        return f"candidate made: {content.get('target', '')}{_swept(content.get('metrics', {}))}", "info"
    words = {
        "approved": (f"approved: {content.get('step', '')}", "good"),
        "began": ("begun, its rule written down", "plain"),
        "held": ("held", "warn"),
        "resumed": ("goes on", "info"),
        "waiting": (f"waits for approval of {content.get('step', '')}", "warn"),
    }
    return words.get(kind, (kind.replace("_", " "), "plain"))
