"""An event of a move in a line, for people: what happened, and each metric with its value and its bound. Pure."""

from __future__ import annotations

from typing import Any


def line(kind: str, told: dict[str, Any]) -> str:
    """The line of an event with this content."""
    if kind == "began":
        rule = told["rule"]
        return f"began: margin {rule['margin'] * 100:g} points, alpha {rule['alpha']:g}, by {rule['grader']['kind']}"
    if kind == "data":
        return f"data: {told['train']} calls to learn from, {told['test']} later ones to evaluate on"
    if kind == "scorecard":
        return _scorecard(told)
    if kind == "tuned" and "recipe" in told:
        size = f"{told['bytes'] / 1e6:.1f} MB"
        made = f"trained {told['recipe']} in {told['seconds']:.0f} s, {size}: serves as {told['target']}"
        return made + _swept(told.get("metrics", {}))
    words = [str(told[name]) for name in ("to", "target", "why", "verdict", "hint") if told.get(name)]
    if kind in ("waiting", "approved"):
        words.insert(0, str(told["step"]))
    if told.get("share"):
        words.append(f"share {told['share']:.0%}")
    if "metric" in told and (told["value"], told["bound"]) != (1, 1):
        words.append(f"{told['metric']} {told['value']:.4g} against {told['bound']:.4g}")
    return f"{kind}: {', '.join(dict.fromkeys(words))}"


def tried(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Each variant of a sweep and what it had, in words; the one that was taken is marked."""
    return [(_options(one), _had(one)) for one in metrics.get("sweep", ())]


def _swept(metrics: dict[str, Any]) -> str:
    rows = metrics.get("sweep", ())
    best = next((one for one in rows if one.get("chosen")), None)
    if best is None:
        return ""
    held = metrics.get("held_out", 0)
    return f"; best of {len(rows)} variants: {_options(best)}, loss {best['loss_after']:.4g} on {held} lessons held out"


def _options(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row["options"].items())


def _had(row: dict[str, Any]) -> str:
    if row.get("error"):
        return f"left out: {row['error']}"
    had = f"loss {row['loss_before']:.4g} before, {row['loss_after']:.4g} after, in {row['seconds']:.0f} s"
    return f"{had}; taken" if row.get("chosen") else had


def _scorecard(told: dict[str, Any]) -> str:
    span = told["difference"]
    return (
        f"evaluated {told['target']}: quality {told['quality']:.1%} of {told['pairs']} calls, difference "
        f"{span['mean'] * 100:+.1f} points [{span['low'] * 100:+.1f}, {span['high'] * 100:+.1f}]"
    )
