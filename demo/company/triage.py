"""Workflow "ticket triage": a colleague's ticket in, JSON with team and priority out."""

from __future__ import annotations

import json
from random import Random

from demo.company.wording import fill

_TEAMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("warehouse", ("the conveyor {where} has stopped", "pallets are missing {where}", "labels print crooked {where}")),
    ("it", ("nobody can log in {where}", "the till shows a blue screen {where}", "the printer {where} is offline")),
    ("facilities", ("the heating fails {where}", "water drips from the ceiling {where}", "the lift {where} is stuck")),
    (
        "finance",
        ("a supplier was paid twice {where}", "the cash count is off {where}", "the VAT report {where} is late"),
    ),
    ("people", ("two shifts are unfilled {where}", "a contract was not signed {where}", "a badge got lost {where}")),
)
_WHERE = ("in hall {n}", "at the shop in {place}", "on floor {n}", "at gate {n}", "in the {place} office")
_URGENCY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("high", ("everything stands still", "somebody may get hurt", "customers are leaving", "we lose money every hour")),
    ("normal", ("it slows us down", "we manage until tomorrow", "please have a look today", "annoying, not dramatic")),
    ("low", ("no hurry", "whenever you have time", "just so you know", "next month is fine")),
)
SYSTEM = (
    "You triage internal tickets. Answer with one JSON object with the keys team and priority.\n"
    "team: warehouse, it, facilities, finance or people. priority: high, normal or low."
)


def example(random: Random) -> tuple[str, str]:
    """A ticket and its triage as JSON text."""
    team, what = random.choice(_TEAMS)
    priority, how = random.choice(_URGENCY)
    where = random.choice(_WHERE).replace("{n}", str(random.randint(1, 9)))
    said = [fill(random, random.choice(what).replace("{where}", where)), random.choice(how)]
    if random.random() < 0.3:
        said.reverse()
    text = random.choice((". ", ", ", " - ", "; ")).join(said)
    return f"Ticket {random.randint(10_000, 99_999)}\n{text}", json.dumps({"team": team, "priority": priority})
