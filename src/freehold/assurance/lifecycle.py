"""When what routes lead to comes to its end: vendors' retirements of models as dated rows, against targets. Pure.

Invariant: a model that no row names is `unknown`, never safe; a row's source and date go with every answer.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from freehold.policy.targets import Target

State = Literal["ended", "ending", "deprecated", "open", "unknown", "own"]
"""`ending`: a firm date lies ahead; `deprecated`: announced, without one; `open`: known, and nothing is announced or
only that it stays until some day; `own`: nobody but its owner can end it."""
STATES: tuple[State, ...] = ("ended", "ending", "deprecated", "unknown", "open", "own")
"""From the most urgent on."""

FILE = Path(__file__).parent / "data" / "retirements.csv"

_OFFERINGS = (
    ("anthropic-api", "anthropic"),
    ("aws-bedrock", "bedrock"),
    ("azure-openai", "azure"),
    ("cohere-api", "cohere"),
    ("google-gemini-api", "google"),
    ("google-vertex", "vertex"),
    ("mistral-api", "mistral"),
    ("openai-api", "openai"),
    ("xai-api", "xai"),
)
_HOSTS = (
    (".aliyuncs.com", "alibaba"),
    (".anthropic.com", "anthropic"),
    (".deepseek.com", "deepseek"),
    (".groq.com", "groq"),
    (".mistral.ai", "mistral"),
    (".moonshot.ai", "moonshot"),
    (".openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".x.ai", "xai"),
)
_CLOUD = re.compile(r"^(?:(?:us|eu|apac|global)\.)?(?:anthropic|meta|mistral|cohere|amazon|ai21|deepseek)\.")
_REVISION = re.compile(r"(?:-v\d+(?::\d+)?|@\d{8})$")


class Retirement(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor says of one model's end. Dates are ISO 8601; empty for none."""

    party: str
    model: str
    deprecated_on: str
    ends_on: str
    """Firm."""
    not_before: str
    """It will not end sooner."""
    replacement: str
    """Named by the vendor."""
    source: str
    as_of: str


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was measured on a workflow which the target serves."""

    workflow: str
    target: str
    owned: bool
    quality: float
    low: float
    """Lower end of the interval of the difference to the incumbent, as a fraction."""
    pairs: int


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """One target, and how long it lasts."""

    target: str
    model: str
    party: str
    state: State
    ends_on: str = ""
    days_left: int | None = None
    """Negative once it has ended; None without a date."""
    late: bool = False
    """Is less time left than a move is given?"""
    routes: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    """Those it served lately, by name."""
    replacement: str = ""
    evaluated: tuple[Evaluated, ...] = ()
    """The best candidate of each of these workflows that was measured, if any was."""
    source: str = ""
    as_of: str = ""


def retirements(path: Path = FILE) -> tuple[Retirement, ...]:
    """The rows that come with Freehold."""
    with path.open(newline="") as file:
        return tuple(msgspec.convert(row, Retirement) for row in csv.DictReader(file))


def party(target: Target) -> str:
    """Whose word counts for a target: as the rows name vendors; empty where nobody knows."""
    for offering, named in _OFFERINGS:
        if target.offering == offering:
            return named
    host = f".{target.origin.host}"
    return next((named for ending, named in sorted(_HOSTS, key=lambda one: -len(one[0])) if host.endswith(ending)), "")


def plain(model: str) -> str:
    """A model's name without what clouds put around it: `eu.anthropic.claude-x-v1:0` is `claude-x`."""
    return _REVISION.sub("", _CLOUD.sub("", model.rsplit("/", 1)[-1].lower()))


def endings(targets: Iterable[Target], rows: Sequence[Retirement], today: date, lead_days: int) -> tuple[Ending, ...]:
    """Every target with its end, the most urgent first. `lead_days`: what a move takes, from first look to last."""
    known = {(one.party, plain(one.model)): one for one in rows}
    found = [_ending(one, known, today, lead_days) for one in targets]
    return tuple(
        sorted(found, key=lambda one: (STATES.index(one.state), one.days_left is None, one.days_left or 0, one.target))
    )


def _ending(target: Target, known: dict[tuple[str, str], Retirement], today: date, lead_days: int) -> Ending:
    if target.owned:
        return Ending(target=target.name, model=target.model, party="", state="own")
    whose = party(target)
    row = known.get((whose, plain(target.model)))
    if row is None:
        return Ending(target=target.name, model=target.model, party=whose, state="unknown")
    day = row.ends_on or row.not_before
    left = (date.fromisoformat(day) - today).days if day else None
    state: State = "open"
    if row.ends_on and left is not None:
        state = "ended" if left < 0 else "ending"
    elif row.deprecated_on and row.deprecated_on <= today.isoformat():
        state = "deprecated"
    return Ending(
        target=target.name,
        model=target.model,
        party=whose,
        state=state,
        ends_on=day,
        days_left=left,
        late=state in ("ended", "ending") and left is not None and left < lead_days,
        replacement=row.replacement,
        source=row.source,
        as_of=row.as_of,
    )
