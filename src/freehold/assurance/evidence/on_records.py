"""Queries about the log, what is kept, what is held, and who changed what. Pure."""

from __future__ import annotations

from freehold.assurance.evidence.asking import Judged, Query, against, each, there
from freehold.assurance.evidence.facts import Facts, FileFact, HoldFact, Log, Outside
from freehold.assurance.evidence.types import Finding

INSTANCE_ACTOR = "owner"
"""Whoever holds the instance's own token: nobody in particular."""
_NOBODY = {
    INSTANCE_ACTOR: "by the instance's own token, which is nobody in particular",
    "freehold.toml": "by a change of the file, and who wrote it is not known here",
}


def _log(facts: Facts) -> Log:
    assert facts.log is not None
    return facts.log


def _whole(facts: Facts) -> Judged:
    log = _log(facts)
    said = f"{log.size} leaves computed anew, {log.signed} of them under {log.checkpoints} signed checkpoints"
    found = [("log", one) for one in log.problems]
    if log.size and not log.checkpoints:
        found.append(("log", "nothing of it is signed"))
    if not log.good and not found:
        found.append(("log", "the check does not hold"))
    return Judged(looked_at=log.size, said=f"{said}, {len(log.problems)} problems", findings=against(found))


def _ended(facts: Facts) -> Judged:
    log = _log(facts)
    said = f"{len(log.cut)} calls were begun and never ended, in a log of {log.size} leaves"
    return Judged(
        looked_at=log.size, said=said, findings=against((f"log/{one}", "its outcome is not known") for one in log.cut)
    )


def _outside(facts: Facts) -> Judged:
    log, folders, settings = _log(facts), there(facts.outside), facts.settings
    assert settings is not None
    if not settings.outside:
        why = Finding("settings/outside", "[audit] names no folder for checkpoints")
        return Judged(looked_at=log.size, said="no checkpoint is published outside of the instance", findings=(why,))
    said = f"{log.outside} of {log.size} leaves stand under checkpoints in {settings.outside} outside folders"
    if len(folders) < settings.outside:
        missing = Finding("outside", f"{settings.outside - len(folders)} folders were never published to")
        return Judged(looked_at=log.size, said=said, findings=(missing,))
    findings = against((f"outside/{one.folder}", _unpublished(one)) for one in folders)
    if log.size and not log.outside and not findings:
        findings = (Finding("log", "no outside checkpoint covers any of it"),)
    return Judged(looked_at=log.size, said=said, findings=findings)


def _unpublished(one: Outside) -> str:
    return "what stands there is of another history" if one.differs else one.error


def _changed_by(facts: Facts) -> Judged:
    changes = there(facts.changes)
    count = sum(one.count for one in changes)
    nobody = [one for one in changes if one.actor in _NOBODY]
    good = count - sum(one.count for one in nobody)
    return Judged(
        looked_at=count,
        said=f"{good} of {count} changes of the period were made by a named person, key or process",
        findings=against((f"changes/{one.kind}", f"{one.count} {_NOBODY[one.actor]}") for one in nobody),
    )


def _kept(facts: Facts) -> Judged:
    keeping = facts.keeping
    assert keeping is not None
    said = f"{keeping.kept} bodies are kept, {keeping.overdue} of them past their day and under no hold"
    why = f"{keeping.overdue} bodies are kept past their day" if keeping.overdue else ""
    return Judged(
        looked_at=keeping.kept + keeping.erased, said=f"{said}; {keeping.erased} were erased",
        findings=against([("keeping", why)]),
    )  # fmt: skip


def _erased(facts: Facts) -> Judged:
    keeping = facts.keeping
    assert keeping is not None
    said = f"{keeping.erased} bodies were erased, {len(keeping.failed_jobs)} erasures failed"
    return Judged(
        looked_at=keeping.erased + len(keeping.failed_jobs),
        said=said,
        findings=against((f"keeping/{one}", "this erasure failed") for one in keeping.failed_jobs),
    )


def _held(facts: Facts) -> Judged:
    def why(one: HoldFact) -> str:
        if one.erased:
            return f"{one.erased} bodies under it were erased while it held"
        return "" if one.why else "it gives no reason"

    what = "legal holds: kept all they cover and say why"
    return each(there(facts.holds), why, lambda one: f"holds/{one.id}", what)


def _private(facts: Facts) -> Judged:
    def why(one: FileFact) -> str:
        if not one.mode:
            return "it is not there"
        return "" if int(one.mode, 8) & 0o077 == 0 else f"its mode is {one.mode}: others of this machine can read it"

    what = "files with keys: can be read by their owner alone"
    return each(there(facts.files), why, lambda one: f"files/{one.name}", what)


QUERIES = (
    Query(
        name="changes_by_people",
        asked="Was every change made by a person, key or process that has a name?",
        records=("changes",),
        judge=_changed_by,
    ),
    Query(
        name="calls_ended",
        asked="Is the outcome of every call that was begun known?",
        records=("log",),
        judge=_ended,
    ),
    Query(
        name="erasures_done",
        asked="Did every erasure that was ordered come to its end?",
        records=("keeping",),
        judge=_erased,
    ),
    Query(
        name="holds_kept",
        asked="Was nothing erased that a legal hold covers, and does each hold say why?",
        records=("holds",),
        judge=_held,
    ),
    Query(
        name="keys_private",
        asked="Can only their owner read the files with the instance's keys?",
        records=("files",),
        judge=_private,
    ),
    Query(
        name="log_outside",
        asked="Do checkpoints of the log stand where whoever runs the instance cannot change them?",
        records=("log", "outside", "settings"),
        judge=_outside,
    ),
    Query(
        name="log_whole",
        asked="Is the whole log of calls and changes what it was signed to be?",
        records=("log",),
        judge=_whole,
    ),
    Query(
        name="retention_kept",
        asked="Is nothing kept past its day, but for what a legal hold covers?",
        records=("keeping",),
        judge=_kept,
    ),
)
