"""`python -m bench.sovereignty [--scenarios F] [--traces N] [--rows FILE]`: does labelled content stay where it may be?

Scenarios of conversations run through the product's own detectors, labels, decisions, permits and egress, with targets
that are down; by keys without a default label, so that what nobody labelled is unknown, and again by keys labelled
`internal`, where only detectors keep it at home. Then generated traces, held against an oracle of the bench's own.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.sovereign_traces import NOON, TODAY, Sink, Tally, run
from bench.sovereign_world import MORE, NAMES, table, world
from freehold.core.egress import send
from freehold.core.errors import BadRequest, Forbidden, NoPermittedTarget
from freehold.core.label import PUBLIC, Label, Level
from freehold.gateway.routing.table import RouteTable, Stop
from freehold.guard.detectors.registry import load
from freehold.guard.detectors.regulated import RAISES, Regulated
from freehold.guard.inspect import inspect
from freehold.guard.profile import Guard, compile_profile
from freehold.guard.types import Detector, Finding, Piece, Profile, Rule, Source
from freehold.identity.types import Principal
from freehold.policy import labelling
from freehold.policy.permits import Mint

ROOT = Path(__file__).resolve().parent
SCENARIOS = ROOT.parent.parent / "shared/data/guardrails/sovereignty_dev.jsonl.gz"
FULL = 1_000_000
BOUND_US = 200.0
TIMED = 200_000
CARD = Label(Level.RESTRICTED, frozenset({"PCI"}))
SOURCES: dict[str, Source] = {
    "user": "user", "assistant": "assistant", "tool": "tool", "document": "document", "file": "document",
    "system": "system",
}  # fmt: skip
Row = dict[str, Any]


class Failing:
    """A detector that raises."""

    name = "regulated"
    span = 0
    context = 0

    def find(self, piece: Piece) -> Sequence[Finding]:
        """Never comes to it."""
        raise RuntimeError("a detector of this scenario fails")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sovereignty", description=__doc__)
    parser.add_argument("--scenarios", type=Path, default=SCENARIOS, help="JSON lines, plain or gzipped")
    parser.add_argument("--traces", type=int, default=FULL, help="generated traces")
    parser.add_argument("--seed", type=int, default=20_261_122, help="of the traces")
    parser.add_argument("--rows", type=Path, help="write each scenario's verdicts as JSON lines")
    options = parser.parse_args()
    began = time.monotonic()
    given = read(options.scenarios)
    rows, detected = list(scenarios(given)), list(scenarios(given, Label(Level.INTERNAL)))
    _tell(rows)
    _tell([row for row in detected if not row["correct"]])
    tally = run(options.traces, options.seed)
    print(_traced(tally), flush=True)
    figures: Row = {
        "scenarios": len(rows),
        "correct": sum(row["correct"] for row in rows),
        "correct_by_detection": sum(row["correct"] for row in detected),
        "violations": tally.violations + sum(row["violations"] for row in rows),
        **timed(),
        "traces": tally.traces,
        "departures": tally.departures,
        "needlessly_refused": tally.needless,
        "seconds": round(time.monotonic() - began),
    }
    if options.rows:
        options.rows.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    _publish(figures, full=options.traces >= FULL)
    print(json.dumps(figures))


def read(path: Path) -> list[Row]:
    """The scenarios of a file."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def scenarios(rows: Iterable[Row], default: Label | None = None) -> Iterable[Row]:
    """Each scenario's outcome: which targets its bytes reached, with every target before them down.

    `default` is the key's label; without one, what no turn labels is unknown.
    """
    routes, guard, failing = table(), guard_of(None), guard_of(Failing())
    mints: dict[tuple[str, ...], Mint] = {}
    for row in rows:
        regions = tuple(sorted(row.get("tenant_regions") or ()))
        if regions not in mints:
            mints[regions] = Mint(1, world("tenant", regions).policy, now=NOON)
        label, audited = label_of(row, failing if row.get("event") == "detector_exception" else guard, default)
        reached = delivered(routes, mints[regions].scoped("research", "all"), label)
        got = {name: "allow" if name in reached else "deny" for name in row["expect"]}
        wrong = [name for name, verdict in row["expect"].items() if got[name] != verdict]
        yield {
            "id": row["id"], "family": row.get("family", ""), "label": str(label), "expect": row["expect"], "got": got,
            "audited": audited, "correct": not wrong,
            "needs_content_detection": bool(row.get("needs_content_detection")),
            "violations": sum(row["expect"][name] == "deny" for name in wrong),
        }  # fmt: skip


def guard_of(broken: Detector | None) -> Guard:
    """Detectors that raise labels; with `broken` in the place of one of them."""
    detectors: dict[str, Detector] = {"regulated": Regulated(), **load(("pii",), Profile(name="raise"))}
    cards = tuple(one for one in getattr(detectors["pii"], "kinds", ()) if "CARD" in one)
    rules = (*RAISES, *([Rule(detector="pii", kinds=cards, action="raise", label=CARD)] if cards else []))
    profile = Profile(name="raise", rules=rules)
    if broken is not None:
        detectors[broken.name] = broken
    return compile_profile(profile, detectors)


def label_of(row: Row, guard: Guard, default: Label | None) -> tuple[Label, bool]:
    """The label of a scenario's call, and whether it wrote down that somebody lowered it.

    Levels are as the turns and the key's default state them; where nothing does, the level is unknown. Regimes are what
    the turns' labels bring, as the scenario names them, but for scenarios of which detection is asked: there only
    detectors bring any.
    """
    turns = row["turns"]
    said = [labelling.read(turn["label"]) if turn.get("label") else None for turn in turns]
    stated = [one for one in said if one is not None]
    if stated and not row.get("needs_content_detection"):
        said.append(Label(PUBLIC.level, frozenset(row.get("regimes", ()))))
    said.append(default)
    pieces = [Piece(turn["text"], SOURCES.get(turn["role"], "document")) for turn in turns]
    late = row.get("event") == "detector_timeout"
    seen = inspect(guard, pieces, "in", late=lambda: late)
    lowered = None
    if row.get("declassified_from"):
        principal = Principal(key_id="key_1", name="reviewer", digest=b"", rights=tuple(row.get("actor_rights", ())))
        before = labelling.read(row["declassified_from"]).join(labelling.joined(said))
        with contextlib.suppress(Forbidden, BadRequest):  # without the right it stays what it was
            lowered = labelling.lower(before, labelling.joined(said), principal, NOON, "reviewed")
        said = [before]
    findings = [seen.label] if seen.label is not None else []
    return labelling.label_of(said, findings, failed=bool(seen.failed), lowered=lowered), lowered is not None


def delivered(routes: RouteTable, mint: Mint, label: Label) -> set[str]:
    """The targets that got the bytes, where each that is tried fails and the next is: by plan, permit and egress."""
    path, body = routes.path("all"), b'{"messages":[]}'
    reached: set[str] = set()
    plan: list[Stop] = [one for one in path.plan(label, mint, "", NOON, lambda: 0.0) if isinstance(one, Stop)]
    planned = {one.name for one in plan}
    for stop in (*plan, *(one for name, one in routes.stops.items() if name not in planned)):
        sink = Sink()
        try:
            permit = mint.permit(b"call", label, stop.target, body, NOON)
            send(sink, stop.origin, permit, b"", NOON)
        except NoPermittedTarget:
            continue
        if sink.body == body:
            reached.add(stop.name)
    return reached


def timed() -> Row:
    """Microseconds of a decision with its permit, digest of 1 KiB included: as calls meet it, and not met before."""
    routes, body = table(), b"x" * 1024
    stops = list(routes.stops.values())
    policy = world("tenant", ("EU", "US")).policy
    labels = [
        Label(level, frozenset(regimes)) for level in Level for regimes in ((), ("GDPR",), ("HIPAA", "PCI"), ("ODD",))
    ]
    found: dict[str, list[int]] = {"p99_us": [], "p99_cold_us": []}
    mint = Mint(1, policy, now=NOON)
    for number in range(TIMED):
        label, stop = labels[number % len(labels)], stops[number % len(stops)]
        cold = number % 20 == 0
        one = Mint(1, policy, now=NOON) if cold else mint
        start = time.perf_counter_ns()
        with contextlib.suppress(NoPermittedTarget):
            one.permit(b"call", label, stop.target, body, NOON)
        found["p99_cold_us" if cold else "p99_us"].append(time.perf_counter_ns() - start)
    return {name: round(sorted(values)[int(len(values) * 0.99)] / 1000, 1) for name, values in found.items()}


def _tell(rows: Sequence[Row]) -> None:
    if not rows:
        return
    lines = [["family", "scenarios", "correct", "detection"]]
    families = Counter(row["family"] for row in rows)
    for family in sorted(families):
        mine = [row for row in rows if row["family"] == family]
        needs = "needed" if any(row["needs_content_detection"] for row in mine) else ""
        lines.append([family, str(len(mine)), str(sum(row["correct"] for row in mine)), needs])
    print(report.text(lines))
    for row in rows:
        if not row["correct"]:
            print(f"wrong: {row['id']} {row['family']}: {row['label']}, {row['got']}")


def _traced(tally: Tally) -> str:
    events = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.events.items()))
    worlds = len({one.name for one in tally.worlds})
    targets = len(NAMES) + len(MORE)
    return "\n".join(
        (
            f"{tally.traces:,} traces in {worlds} worlds over {targets} targets",
            f"{tally.departures:,} bodies left, {tally.refusals:,} were refused",
            f"{tally.violations} violations, {tally.needless} refused needlessly",
            f"events: {events}",
        )
    )


def _publish(figures: Row, *, full: bool) -> None:
    folder = ROOT / ("results" if full else "out")
    folder.mkdir(exist_ok=True)
    made = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "day": TODAY, "bound_us": BOUND_US, **figures}
    (folder / "sovereignty.json").write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
