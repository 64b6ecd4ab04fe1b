"""Queries about models: papers of owned ones, flaws, ends, evaluations, moves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from freehold.assurance.evidence.asking import Judged, Query, against, each, share, there
from freehold.assurance.evidence.facts import EndingFact, EvalFact, Facts, ModelFact, MoveFact
from freehold.assurance.evidence.on_records import INSTANCE_ACTOR
from freehold.assurance.evidence.types import Finding

EVAL_DAYS = 365
"""Ours: an evaluation older than this says little of what is served now."""


def _model(one: ModelFact) -> str:
    return f"models/{one.name}"


def _models(facts: Facts) -> Sequence[ModelFact]:
    return there(facts.models)


def _each(facts: Facts, why: Callable[[ModelFact], str], what: str) -> Judged:
    """As `asking.each`; what an owned target serves that is not of the store is not known."""
    judged = each(_models(facts), why, _model, what)
    return replace(judged, unclear=_foreign(facts), looked_at=judged.looked_at + len(_foreign(facts)))


def _foreign(facts: Facts) -> tuple[Finding, ...]:
    return tuple(
        Finding(f"targets/{one.name}", "it is owned, and serves no model of the store: nothing is known of it")
        for one in there(facts.targets)
        if one.owned and not one.stored
    )


def _whole(facts: Facts) -> Judged:
    found = _models(facts)
    wrong = against((_model(one), "" if one.whole in ("", "yes") else one.whole) for one in found)
    unread = against((_model(one), "" if one.whole else "its bytes were not read") for one in found)
    good = len(found) - len(wrong) - len(unread)
    return Judged(
        looked_at=len(found) + len(_foreign(facts)),
        said=share(good, len(found), "owned models: are, byte for byte, what was signed"),
        findings=wrong,
        unclear=(*unread, *_foreign(facts)),
    )


def _scanned(facts: Facts) -> Judged:
    def why(one: ModelFact) -> str:
        if not one.papers:
            return "it was let in without papers"
        if one.expired:
            return f"the word of {one.reviewed_by} for it has run out"
        return "" if one.scan == "allow" or one.reviewed_by else f"the gate said {one.scan}, and nobody vouched"

    return _each(facts, why, "owned models: passed the gate, or a person vouches for them")


def _licensed(facts: Facts) -> Judged:
    def why(one: ModelFact) -> str:
        if not one.papers or one.licence in ("", "NOASSERTION"):
            return "its licence is not known"
        allowed = one.licence_verdict == "allow" or (bool(one.reviewed_by) and not one.expired)
        return "" if allowed else f"{one.licence}: {one.licence_verdict}, and nobody vouched"

    return _each(facts, why, "owned models: have a known licence that was let pass")


def _vouched(facts: Facts) -> Judged:
    def why(one: ModelFact) -> str:
        return "" if one.signature not in ("", "none") else "no publisher's signature was checked"

    return _each(facts, why, "owned models: bear their publisher's checked signature")


def _listed(facts: Facts) -> Judged:
    return _each(
        facts,
        lambda one: "" if "bom" in one.statements else "it has no bill of materials",
        "owned models: have a bill of materials",
    )


def _traced(facts: Facts) -> Judged:
    trained = [one for one in _models(facts) if one.trained]
    return each(
        trained,
        lambda one: "" if one.dataset_sha256 else "the data it was trained on is not named",
        _model,
        "trained models: name their data by digest",
    )


def _flaws(facts: Facts) -> Judged:
    found = there(facts.errata)
    counts = {name: sum(one.standing == name for one in found) for name in ("affected", "patched", "fixed", "unknown")}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    records = [(f"errata/{one.advisory}/{one.what}", one) for one in found]
    return Judged(
        looked_at=len(found),
        said=f"advisories against what is here: {told}",
        findings=against(
            (name, "affected, and nothing holds it off") for name, one in records if one.standing == "affected"
        ),
        unclear=against((name, "nobody can tell") for name, one in records if one.standing == "unknown"),
    )


def _ending(one: EndingFact) -> str:
    if one.state in ("ended", "ending"):
        return f"{one.state} on {one.ends_on}"
    return "its vendor has deprecated it" if one.state == "deprecated" else ""


def _lasting(facts: Facts) -> Judged:
    found = there(facts.endings)
    bad = against((f"endings/{one.target}", _ending(one)) for one in found)
    open_ = against((f"endings/{one.target}", "no dated row tells of it") for one in found if one.state == "unknown")
    good = len(found) - len(bad) - len(open_)
    return Judged(
        looked_at=len(found),
        said=share(good, len(found), "targets: have no announced end"),
        findings=bad,
        unclear=open_,
    )


def _evaluated(facts: Facts) -> Judged:
    newest = {(one.workflow, one.target): one for one in there(facts.evals)}

    def why(workflow: str, target: str) -> str:
        found: EvalFact | None = newest.get((workflow, target))
        if found is None:
            return f"{target} was never evaluated on it"
        return f"its evaluation of {target} is {found.age_days} days old" if found.age_days > EVAL_DAYS else ""

    pairs = [(one.id, target) for one in there(facts.workflows) if one.id for target in one.targets]
    homeless = tuple(
        Finding("workflows/", f"{one.calls} calls belong to no workflow")
        for one in there(facts.workflows)
        if not one.id
    )
    findings = against((f"workflows/{workflow}/{target}", why(workflow, target)) for workflow, target in pairs)
    return Judged(
        looked_at=len(pairs),
        said=share(len(pairs) - len(findings), len(pairs), "models: were evaluated on the workflow they serve"),
        findings=findings,
        unclear=homeless,
    )


def _serving(facts: Facts) -> Sequence[MoveFact]:
    return [one for one in there(facts.moves) if one.serving]


def _move(one: MoveFact) -> str:
    return f"moves/{one.id}"


def _proved(facts: Facts) -> Judged:
    def why(one: MoveFact) -> str:
        by_hand = f"promoted without proof by {', '.join(one.by_hand)}" if one.by_hand else ""
        return "; ".join((*one.failed, by_hand)) if one.failed else by_hand

    return each(_serving(facts), why, _move, "moves that serve: are proved by a dossier whose every check holds")


def _approved(facts: Facts) -> Judged:
    def why(one: MoveFact) -> str:
        given = {step for step, _, who in (each_.partition(" by ") for each_ in one.approved) if who != INSTANCE_ACTOR}
        if not given and not set(one.by_hand) - {INSTANCE_ACTOR}:
            return "no named person approved a step of it"
        due = ("shadow", "canary", "owned")[: ("shadow", "canary", "owned").index(one.stage) + 1]
        missing = [each_ for each_ in one.asked if each_ in due and each_ not in given]
        return f"nobody approved {', '.join(missing)}" if missing else ""

    return each(_serving(facts), why, _move, "moves that serve: were approved by a person")


def _watched(facts: Facts) -> Judged:
    return each(
        _serving(facts),
        lambda one: "" if one.watched else "nothing was compared since it serves",
        _move,
        "moves that serve: are still compared with what they replaced",
    )


def _trainable(facts: Facts) -> Judged:
    settings = facts.settings
    assert settings is not None
    trained = [one for one in _models(facts) if one.trained]
    said = f"{len(trained)} models were trained; consent is {'' if settings.consent_required else 'not '}required"
    why = "" if settings.consent_required else "[rights] consent_required is off: silence does not forbid training"
    found = (Finding("settings/consent_required", why),) if why and trained else ()
    return Judged(looked_at=len(trained), said=f"{said}, up to {settings.most_sensitive} content", findings=found)


QUERIES = (
    Query(
        name="consent_asked",
        asked="Is recorded consent demanded of what trains, as set now?",
        records=("models", "settings"),
        judge=_trainable,
    ),
    Query(
        name="flaws_known",
        asked="Is nothing here affected by an advisory that nothing holds off?",
        records=("errata",),
        judge=_flaws,
    ),
    Query(name="models_last", asked="Has no target's end been announced?", records=("endings",), judge=_lasting),
    Query(
        name="models_licensed",
        asked="Is the licence of every owned model known and let pass?",
        records=("models", "targets"),
        judge=_licensed,
    ),
    Query(
        name="models_listed",
        asked="Does every owned model have a bill of materials?",
        records=("models", "targets"),
        judge=_listed,
    ),
    Query(
        name="models_scanned",
        asked="Did every owned model pass the gate, or does a person vouch for it?",
        records=("models", "targets"),
        judge=_scanned,
    ),
    Query(
        name="models_traced",
        asked="Is the data of every trained model named?",
        records=("models",),
        judge=_traced,
    ),
    Query(
        name="models_vouched",
        asked="Was the publisher's signature of every owned model checked?",
        records=("models", "targets"),
        judge=_vouched,
    ),
    Query(
        name="models_whole",
        asked="Is every owned model, byte for byte, what was signed?",
        records=("models", "targets"),
        judge=_whole,
    ),
    Query(
        name="moves_approved",
        asked="Did a person approve every move that serves?",
        records=("moves",),
        judge=_approved,
    ),
    Query(
        name="moves_proved",
        asked="Does the dossier of every move that serves hold?",
        records=("moves",),
        judge=_proved,
    ),
    Query(
        name="moves_watched",
        asked="Is every move that serves still compared with what it replaced?",
        records=("moves",),
        judge=_watched,
    ),
    Query(
        name="workflows_evaluated",
        asked="Was every model evaluated on the workflows it serves?",
        records=("evals", "workflows"),
        judge=_evaluated,
    ),
)
