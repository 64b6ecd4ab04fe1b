"""What must move and what must be refused on the development log: `python -m bench.verdicts`. The last line is JSON.

The table of expectations stands in this file, and the run must agree with every row. Refusals come first: a workflow
whose prompt does not hold still, or that only an unmeasured judge could score, is not compared at all.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.cascade import LARGEST, arguments, searched
from bench.recorded_log import JUDGED, Workflow, lines, read
from freehold.evals.proof.noninferiority import Rule
from freehold.evals.search import Searched

SINGLE, CASCADE = "single", "cascade"
OPEN_BILLIONS = 100.0
STABLE = 0.6
"""Mean weekly overlap of the prompt's own words from which a workflow counts as mature enough to be moved."""
_WORD = re.compile(r"[^\W\d_]+|\d+")


class Expected(msgspec.Struct, frozen=True):
    """One row of the table: what must come of moving a workflow in one way, and why that is known."""

    workflow: str
    way: str
    moves: bool
    why: str
    above: bool = False
    """It must end above the vendor."""
    beforehand: bool = True
    """Written before any run; False for rows that were added after the first one and hold its outcome since."""


PROMPT = "its prompt changes every 5.6 days, and only a judge could score it"
CHAT = "open-ended chat, scored by a judge that nobody measured"

EXPECTED: tuple[Expected, ...] = (
    Expected("banking_intent", SINGLE, False, "the best baseline is 7 points under the gold labels"),
    Expected("banking_intent", CASCADE, False, "baselines of one kind err together: not within 3", beforehand=False),
    Expected("dept_routing", SINGLE, True, "a small classifier is within a point of its labels", beforehand=False),
    Expected("exploratory", SINGLE, False, CHAT),
    Expected("exploratory", CASCADE, False, CHAT),
    Expected("math_json", SINGLE, False, "no open model under 100B is within 3 points of the vendor"),
    Expected("math_json", CASCADE, True, "two small models that agree are nearly always right"),
    Expected("receipt_extract", SINGLE, False, "regular expressions get half of the fields", beforehand=False),
    Expected("support_reply", SINGLE, False, PROMPT),
    Expected("support_reply", CASCADE, False, PROMPT),
    Expected("text2sql", SINGLE, False, "every candidate is a closed model", beforehand=False),
    Expected("tool_call", CASCADE, True, "two small models that agree beat the vendor", above=True),
)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    moves: bool
    reason: str
    above: bool = False


def overlap(log: Path, workflows: dict[str, str]) -> dict[str, float]:
    """How much of its own words a workflow's prompt keeps from week to week, 0 to 1, by workflow.

    Weighted Jaccard of word 5-grams (a word that a fifth of a week's requests share is the prompt's) between weeks.
    """
    seen: dict[str, dict[int, Counter[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(Counter))
    count: dict[str, Counter[int]] = defaultdict(Counter)
    for one in lines(log):
        name = workflows.get(one["id"])
        if name is None:
            continue
        week = int(datetime.fromisoformat(one["ts"]).timestamp() // (7 * 86400))
        text = " ".join(str(each.get("content") or "") for each in one["request"]["messages"])
        words = ["0" if word[0].isdigit() else word for word in _WORD.findall(text.casefold())[:400]]
        seen[name][week].update(set(zip(*(words[at:] for at in range(5)), strict=False)))
        count[name][week] += 1
    found = {}
    for name, weeks in seen.items():
        shares = []
        for week, grams in sorted(weeks.items()):
            total = count[name][week]
            if total >= 20:
                shares.append({gram: held / total for gram, held in grams.items() if held >= 0.2 * total})
        likeness = [_jaccard(one, other) for one, other in pairwise(shares)]
        found[name] = sum(likeness) / len(likeness) if likeness else 0.0
    return found


def _jaccard(one: dict[Any, float], other: dict[Any, float]) -> float:
    names = set(one) | set(other)
    most = sum(max(one.get(name, 0.0), other.get(name, 0.0)) for name in names)
    return sum(min(one.get(name, 0.0), other.get(name, 0.0)) for name in names) / most if most else 1.0


def verdict(workflow: Workflow, way: str, kept: float, rule: Rule, most: float) -> Verdict:
    """Refused for the first reason that holds; moved only where a policy is proven."""
    if workflow.scorer in JUDGED:
        what = f"scored by {workflow.scorer}, which nobody measured against people"
        unstable = f"immature: its prompt keeps {kept:.0%} of itself from week to week; " if kept < STABLE else ""
        return Verdict(moves=False, reason=unstable + what)
    if kept < STABLE:
        return Verdict(moves=False, reason=f"immature: its prompt keeps {kept:.0%} of itself from week to week")
    found = searched(workflow, rule, OPEN_BILLIONS if way == SINGLE else most, 1 if way == SINGLE else 2)
    if not found.considered:
        return Verdict(moves=False, reason="no open model was recorded on it")
    best = found.best or found.nearest
    assert best is not None
    proven = "proven" if best.accepted else "not proven"
    reason = f"{best.policy.name}: keeps {best.kept:.1%}, {100 * best.delta:+.2f} points, {proven} ({_paid(found)})"
    return Verdict(moves=best.accepted, reason=reason, above=best.accepted and best.interval.low > 0)


def _paid(found: Searched) -> str:
    return f"{found.considered} tried"


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    options: argparse.Namespace = arguments(given)
    rule = Rule(margin=options.margin, alpha=options.alpha)
    table = Table(title="expected before the run, and what came of it")
    for heading in ("workflow", "way", "must", "why", "since", "came out", ""):
        table.add_column(heading)
    names = {one["id"]: one["workflow"] for one in lines(options.truth)}
    workflows = {one.name: one for one in read(options.log, options.truth, options.candidates)}
    stable = overlap(options.log, names)
    rows: list[dict[str, Any]] = []
    for one in EXPECTED:
        if one.workflow not in workflows:
            continue
        came = verdict(workflows[one.workflow], one.way, stable[one.workflow], rule, options.billions or LARGEST)
        agrees = came.moves == one.moves and (came.above or not one.above)
        must = ("move, above the vendor" if one.above else "move") if one.moves else "be refused"
        since = "before any run" if one.beforehand else "the first run"
        word = "agrees" if agrees else "DISAGREES"
        table.add_row(one.workflow, one.way, must, one.why, since, came.reason, word)
        rows.append({"workflow": one.workflow, "way": one.way, "expected": one.moves, "moves": came.moves,
                     "reason": came.reason, "agrees": agrees})  # fmt: skip
    Console(width=170).print(table)
    if options.rows:
        options.rows.write_text("".join(json.dumps(one) + "\n" for one in rows))
    overlaps = {name: round(value, 3) for name, value in sorted(stable.items())}
    print(json.dumps({"rows": len(rows), "agree": sum(one["agrees"] for one in rows), "weekly_overlap": overlaps}))


if __name__ == "__main__":
    main()
