"""Policies over open models on a log's recorded answers: `python -m bench.cascade`. The last line is JSON.

For each workflow: the best pair of models of which one answers where both agree, and the best single model, among
those that could be owned and are small enough, each certified with the multiplicity of its search paid for.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from bench.kept import keep
from bench.model_sizes import billions, closed
from bench.recorded_log import JUDGED, Workflow, read
from freehold.evals.cascades import Policy, simulate
from freehold.evals.proof.noninferiority import Rule
from freehold.evals.search import Found, Searched, policies, search

DATA = Path(__file__).parents[2] / "shared" / "data" / "workflows"
LARGEST = 20.0
"""Billions of parameters that may be asked about one call, over all members: the bound on cost."""
NAMED: tuple[tuple[str, tuple[str, str]], ...] = (
    ("math_json", ("Meta-Llama-3.1-8B-Instruct", "gemma-2-9b-it")),
    ("tool_call", ("Salesforce_xLAM-7b-fc-r", "meetkai_functionary-small-v3.1-FC")),
)
"""Pairs whose figures are always shown, whatever the search prefers."""


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.cascade", description=__doc__)
    parser.add_argument("--log", type=Path, default=DATA / "traffic.jsonl.gz", help="recorded calls")
    parser.add_argument(
        "--truth", type=Path, default=DATA / "truth.jsonl.gz", help="workflow and vendor's score of each"
    )
    parser.add_argument("--candidates", type=Path, default=DATA / "candidates.jsonl.gz", help="other models' answers")
    parser.add_argument("--rows", type=Path, help="also write what each best policy did, call by call, as JSON lines")
    parser.add_argument("--margin", type=float, default=0.03, help="greatest acceptable loss of mean score")
    parser.add_argument("--alpha", type=float, default=0.05, help="of the whole search of a workflow")
    parser.add_argument("--billions", type=float, default=LARGEST, help="most parameters asked about one call")
    return parser.parse_args(given)


def eligible(workflow: Workflow, most: float, members: int) -> list[Policy]:
    """Policies of open models, singles or pairs, within the bound. Names alone decide, never outcomes."""
    names = [one for one in workflow.sheet.models if not closed(one)]
    kind = "single" if members == 1 else "agreement"
    sized = {one: billions(one) for one in names}
    return [
        one
        for one in policies(names, [kind])
        if sum(sized[name] or 0.0 for name in one.members) <= most
        and all(sized[name] is not None for name in one.members)
    ]


def searched(workflow: Workflow, rule: Rule, most: float, members: int) -> Searched:
    """One search; it pays for its own policies only."""
    return search(workflow.sheet, workflow.spec, eligible(workflow, most, members), rule)


def figures(one: Found | None, found: Searched) -> dict[str, Any]:
    """A policy as the last line tells it; differences are fractions."""
    if one is None:
        return {"best": None, "kept": None, "delta": None, "delta_crossfit": None, "proven_margin": None, "pairs": 0,
                "proven": False, "considered": found.considered}  # fmt: skip
    return {
        "best": one.policy.name,
        "kept": round(one.kept, 4),
        "delta": round(one.delta, 4),
        "delta_crossfit": None if found.delta_crossfit is None else round(found.delta_crossfit, 4),
        "proven_margin": round(one.proven_margin, 4),
        "pairs": one.pairs,
        "proven": one.accepted,
        "accepted_at": one.accepted_at,
        "low": round(one.interval.low, 4),
        "high": round(one.interval.high, 4),
        "considered": found.considered,
    }


def measured(workflow: Workflow, rule: Rule, most: float) -> dict[str, Any]:
    """Everything about one workflow: the best pair at the top level (the best single one where there are no pairs)."""
    shared = {"calls": workflow.calls, "grader": workflow.spec.kind, "vendor": "+".join(workflow.kinds)}
    if workflow.scorer in JUDGED:
        reason = f"scored by {workflow.scorer}, which nobody measured against people"
        return {**shared, "best": None, "pairs": 0, "proven": False, "reason": reason}
    pairs, singles = (searched(workflow, rule, most, count) for count in (2, 1))
    top = pairs if pairs.considered else singles
    made = {**shared, **figures(top.best or top.nearest, top)}
    made["single"] = figures(singles.best or singles.nearest, singles)
    if not top.considered:
        made["reason"] = "no open model within the bound"
    for name, members in NAMED:
        if name == workflow.name and all(one in workflow.sheet.models for one in members):
            own = search(workflow.sheet, workflow.spec, [Policy(kind="agreement", members=members)], rule)
            made["named"] = figures(own.found[0], own)
    return made


def table(found: dict[str, dict[str, Any]]) -> Table:
    """For people."""
    made = Table(title="best policies of open models, certified; differences in points")
    for heading in ("workflow", "policy", "kept", "difference", "cross-fitted", "proven to", "pairs", "tried", ""):
        made.add_column(heading, justify="left" if heading in ("workflow", "policy", "") else "right")
    for name, one in found.items():
        for label, each in (("", one), ("single: ", one.get("single")), ("named: ", one.get("named"))):
            if each is None or (label == "single: " and each.get("best") == one.get("best")):
                continue
            if each.get("best") is None:
                if not label:
                    made.add_row(name, one.get("reason", "-"))
                continue
            made.add_row(
                "" if label else name, label + each["best"], f"{each['kept']:.1%}", _points(each["delta"]),
                _points(each["delta_crossfit"]), _points(-each["proven_margin"]), str(each["pairs"]),
                str(each["considered"]), "proven" if each["proven"] else "not proven",
            )  # fmt: skip
    return made


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.2f}"


def write_rows(workflow: Workflow, name: str, to: IO[str]) -> None:
    """What the policy of that name did on each call."""
    kinds = ["agreement", "single"]
    policy = next((one for one in policies(list(workflow.sheet.models), kinds) if one.name == name), None)
    if policy is None:
        return
    outcome = simulate(workflow.sheet, policy, workflow.spec)
    for number, row in enumerate(outcome.rows.tolist()):
        incumbent = workflow.sheet.incumbent[row].score
        line = {
            "id": workflow.sheet.calls[row],
            "workflow": workflow.name,
            "policy": name,
            "prediction": policy.members[0] if outcome.served[number] else "vendor",
            "score": incumbent + float(outcome.differences[number]),
            "vendor_score": incumbent,
            "time": workflow.sheet.incumbent[row].latency,
        }
        to.write(json.dumps(line) + "\n")


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    options = arguments(given)
    missing = [str(one) for one in (options.log, options.truth, options.candidates) if not one.exists()]
    if missing:
        raise SystemExit(f"no such file: {', '.join(missing)}")
    rule = Rule(margin=options.margin, alpha=options.alpha)
    workflows = read(options.log, options.truth, options.candidates)
    found = {one.name: measured(one, rule, options.billions) for one in workflows}
    Console(width=150).print(table(found))
    if options.rows:
        with options.rows.open("w") as to:
            for one in workflows:
                if best := found[one.name].get("best"):
                    write_rows(one, best, to)
    if options == arguments([]):
        keep("cascade", found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
