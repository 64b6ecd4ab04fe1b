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
        return f"trained {told['recipe']} in {told['seconds']:.0f} s, {size}: serves as {told['target']}"
    words = [str(told[name]) for name in ("to", "target", "why", "verdict", "hint") if told.get(name)]
    if kind in ("waiting", "approved"):
        words.insert(0, str(told["step"]))
    if told.get("share"):
        words.append(f"share {told['share']:.0%}")
    if "metric" in told and (told["value"], told["bound"]) != (1, 1):
        words.append(f"{told['metric']} {told['value']:.4g} against {told['bound']:.4g}")
    return f"{kind}: {', '.join(dict.fromkeys(words))}"


def _scorecard(told: dict[str, Any]) -> str:
    span = told["difference"]
    return (
        f"evaluated {told['target']}: quality {told['quality']:.1%} of {told['pairs']} calls, difference "
        f"{span['mean'] * 100:+.1f} points [{span['low'] * 100:+.1f}, {span['high'] * 100:+.1f}]"
    )
