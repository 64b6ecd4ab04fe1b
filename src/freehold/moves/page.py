"""The dossier as one page a director can read: verdict, rule, evidence as a drawing and as a table, money, approvals.

Pure; made from the dossier's own content, so page and file cannot disagree. No script, nothing fetched, all escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec

from freehold.moves.dossier import pair
from freehold.moves.measure import measure, trajectory
from freehold.moves.telling import line, tried
from freehold.moves.types import Pair, Plan, Rule

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 220, 60, 30
POINTS = 60
_VERDICTS = {
    "owned": "moved: an owned model serves it",
    "canary": "on its way: an owned model serves a part of it",
    "shadow": "being compared: the rented model serves it",
    "tuned": "a candidate was made: the rented model serves it",
    "evaluated": "evaluated: the rented model serves it",
    "observed": "begun: the rented model serves it",
    "refused": "not moved: the rented model serves it",
    "rolled_back": "taken back: the rented model serves it again",
}
_MONEY = ("rented", "owned", "comparing", "annotations", "saving", "low", "high", "held_back")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #ccc;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".verdict{font-size:1.3rem;font-weight:600}.small{color:#555;font-size:.85rem}code{word-break:break-all}"
)


def page(content: dict[str, Any], key: str) -> str:
    """The page of a dossier's content, which `key` (hex) signed."""
    rule, plan = msgspec.convert(content["rule"], Rule), msgspec.convert(content["plan"], Plan)
    pairs = [pair(one) for one in content["pairs"]]
    name = content["workflow"]["name"] or content["workflow"]["id"]
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="verdict">{escape(_VERDICTS[content["stage"]])}</p>',
        f"<p>{escape(_sentence(content, rule, plan, pairs))}</p>",
        "<h2>Evidence</h2>",
        *_evidence(rule, pairs),
        "<h2>The rule, written down before any outcome was read</h2>",
        _table(("what", "value"), _rule_rows(content, rule)),
        "<h2>What happened</h2>",
        _table(("when (UTC)", "event", "by"), map(_event_row, content["events"])),
        "<h2>Money</h2>",
        *_money(content["savings"]),
        "<h2>The model</h2>",
        *_model(content["artefact"], plan),
        *_variants(content["events"]),
        _foot(content, key),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(name)}</title>'
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'


def _foot(content: dict[str, Any], key: str) -> str:
    made = (
        f"Dossier {escape(content['move'])}, made {escape(content['made_at'])}, signed by <code>{escape(key)}</code>."
    )
    check = "To check every decision from the rows: <code>freehold moves verify FILE</code>"
    return f'<p class="small">{made} {check}</p>'


def _sentence(content: dict[str, Any], rule: Rule, plan: Plan, pairs: Sequence[Pair]) -> str:
    candidate = content["candidate"] or "no candidate"
    if not pairs:
        return f"{plan.incumbent} served it; {candidate}. No call after the evaluation window was compared."
    found = measure(rule, pairs)
    return (
        f"On {found.pairs} calls that both answered, {candidate} scored {found.difference * 100:+.1f} points against "
        f"{plan.incumbent} (interval {found.low * 100:+.1f} to {found.high * 100:+.1f}, level {1 - 2 * rule.alpha:.0%},"
        f" true at whatever moment one looks); the rule allows a loss below {rule.margin * 100:g} points."
    )


def _evidence(rule: Rule, pairs: Sequence[Pair]) -> list[str]:
    if not pairs:
        return ["<p>There is none: no call was compared.</p>"]
    found = [(one.pairs, one) for one in trajectory(rule, pairs, POINTS)]
    drawing = _drawing([(n, one.evidence) for n, one in found], [(n, one.alarm) for n, one in found], rule)
    shown = found[:: max(len(found) // 10, 1)]
    if shown[-1] != found[-1]:
        shown.append(found[-1])
    rows = [(str(n), f"{one.difference * 100:+.2f}", f"{one.evidence:.3g}", f"{one.alarm:.3g}") for n, one in shown]
    text = (
        f"Evidence that the candidate is not worse by {rule.margin * 100:g} points: a cut-over needs "
        f"{1 / rule.alpha:g}. The alarm takes the traffic back at {rule.patience:g}. Both scales are logarithmic."
    )
    return [f"<p>{text}</p>", drawing, _table(("calls compared", "difference, points", "evidence", "alarm"), rows)]


def _drawing(evidence: Sequence[tuple[int, float]], alarm: Sequence[tuple[int, float]], rule: Rule) -> str:
    """Evidence and alarm over the calls compared, against their bounds, as an inline SVG."""
    most = max(n for n, _ in evidence)
    bounds = (1 / rule.alpha, rule.patience)
    top = max(math.log10(max(*bounds, *(v for _, v in evidence), *(v for _, v in alarm), 10.0)), 1.0)
    low = -1.0

    def at(n: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT) * n / most
        share = (min(max(math.log10(max(value, 1e-9)), low), top) - low) / (top - low)
        return f"{x:.1f},{(HEIGHT - BOTTOM) * (1 - share):.1f}"

    def line(points: Iterable[tuple[float, float]], style: str) -> str:
        return f'<polyline fill="none" {style} points="{" ".join(at(n, v) for n, v in points)}"/>'

    lines = [
        line(evidence, 'stroke="#0b6e4f" stroke-width="2.5"'),
        line(alarm, 'stroke="#b3261e" stroke-width="1.5" stroke-dasharray="6 3"'),
        line([(0, bounds[0]), (most, bounds[0])], 'stroke="#0b6e4f" stroke-dasharray="2 3"'),
        line([(0, bounds[1]), (most, bounds[1])], 'stroke="#b3261e" stroke-dasharray="2 3"'),
    ]
    marks = [
        f'<text x="0" y="{float(at(0, bound).split(",")[1]) + 4:.1f}" font-size="12">{bound:g}</text>'
        for bound in bounds
    ]
    legend = (
        f'<text x="{LEFT}" y="{HEIGHT - 8}" font-size="12">0 to {most} calls; solid: evidence, dashed: alarm</text>'
    )
    label = "Evidence and alarm over the calls compared; the table below has the numbers"
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" width="100%"'
    return f"<svg {box}>{''.join([*lines, *marks, legend])}</svg>"


def _rule_rows(content: dict[str, Any], rule: Rule) -> list[tuple[str, str]]:
    return [
        ("loss of quality that is allowed", f"below {rule.margin * 100:g} points"),
        ("chance of a false cut-over", f"at most {rule.alpha:.1%}"),
        ("graded by", f"{rule.grader.kind} {rule.grader.options or ''}".strip()),
        (
            "against",
            "people's annotations where the two differ" if rule.reference == "annotations" else "the incumbent",
        ),
        ("calls that decide", f"only those after {_time(rule.window_until)}"),
        ("steps", ", ".join(f"{one:.0%}" for one in rule.steps) + f", then all but {rule.holdback:.0%}"),
        ("approvals by a person", ", ".join(rule.approvals) or "none asked for"),
        ("digest (SHA-256)", content["rule_sha256"]),
    ]


def _event_row(event: dict[str, Any]) -> tuple[str, str, str]:
    return _time(event["at"]), line(event["kind"], event["content"]), event["actor"]


def _money(savings: dict[str, Any] | None) -> list[str]:
    if savings is None:
        return ["<p>Nothing has been saved: savings are counted after cut-over only.</p>"]
    money = {name: f"${_dollars(str(savings[name]))}" for name in _MONEY}
    rows = [
        ("calls since cut-over", f"{savings['calls']}, of which the candidate served {savings['served']}"),
        ("rented price of what it served", f"{money['rented']} on {savings['priced']} calls; {savings['source']}"),
        ("what serving them cost", money["owned"]),
        ("comparing after cut-over", money["comparing"]),
        ("annotations", money["annotations"]),
        ("saving", f"{money['saving']} (95 %: {money['low']} to {money['high']})"),
        ("calls held back, at the rented price", f"{money['held_back']}, part of neither side"),
    ]
    note = "Tokens are those the owned model counted; machines that run anyway are priced as the configuration says."
    return [_table(("what", "measured"), rows), f'<p class="small">{note}</p>']


def _dollars(text: str) -> str:
    return f"{float(text):.6f}".rstrip("0").rstrip(".")


def _model(artefact: dict[str, Any], plan: Plan) -> list[str]:
    if not artefact:
        was = "The candidate was there before; nothing was trained." if plan.recipe == "none" else "None was made."
        return [f"<p>{was}</p>"]
    lineage = artefact.get("lineage") or {}
    rows = [
        ("name", artefact["name"]),
        ("kind", artefact["kind"]),
        ("trained by", lineage.get("recipe", "")),
        ("on data (SHA-256)", lineage.get("dataset_sha256", "")),
        ("from", lineage.get("base", "") or "nothing"),
        *((f"file {one['name']} (SHA-256)", one["sha256"]) for one in artefact["files"]),
    ]
    return [_table(("what", "value"), rows)]


def _variants(events: Sequence[dict[str, Any]]) -> list[str]:
    """What a sweep tried, where there was one."""
    rows = [row for one in events if one["kind"] == "tuned" for row in tried(one["content"].get("metrics", {}))]
    note = "The best was chosen by lessons of the window that trained nothing; no call that decided had a part in it."
    return [_table(("variant", "had"), rows), f'<p class="small">{note}</p>'] if rows else []


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(one))}</td>" for one in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
