"""Facts of an instance where all is well, and one planted failure for each query."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from freehold.assurance.evidence.facts import (
    CallsFact,
    ChangeFact,
    EndingFact,
    ErratumFact,
    EvalFact,
    Facts,
    FileFact,
    GlassFact,
    GuardFact,
    GuardRuleFact,
    HoldFact,
    KeepingFact,
    KeyFact,
    Log,
    ModelFact,
    MoveFact,
    NeedFact,
    Outside,
    PersonFact,
    PolicyFact,
    RouteFact,
    ScanFact,
    SentFact,
    SetFact,
    TargetFact,
    WorkflowFact,
)
from freehold.policy.regimes import NEEDS

KEY = KeyFact(
    id="key_1", name="search", team="red", role="developer", label="internal", routes=("assistant",), rights=(),
    active=True, expires_at="2027-01-01T00:00:00.000Z", secret_days=10, idle_days=1, limited=False, budgets=("team/red",),
)  # fmt: skip
CALLS = CallsFact(
    team="red", route="assistant", label="internal", target="rented", outcome="ok", error="",
    keyed=True, decided=True, scanned=True, calls=7,
)  # fmt: skip
SENT = SentFact(
    team="red", route="assistant", label="internal", target="rented", owned=False, region="EU", attempts=8, known=True,
    against="",
)  # fmt: skip
TARGET = TargetFact(
    name="rented", model="m", owned=False, region="EU", clearance="restricted:HIPAA", origin="https://vendor.test:443",
    local=False, stored=False, needs=tuple(NeedFact(one.name, "") for one in NEEDS),
)  # fmt: skip
MODEL = ModelFact(
    name="small", kind="chat", sha256="ab", whole="yes", papers=True, scan="allow", rules="r", licence="MIT",
    licence_verdict="allow", signature="key", reviewed_by="", expired=False, statements=("bom", "scan"), trained=True,
    dataset_sha256="cd", base="",
)  # fmt: skip
MOVE = MoveFact(
    id="mv_1", workflow="wf_1", stage="owned", serving=True, asked=("canary",), approved=("canary by person_2",),
    by_hand=(), failed=(), watched=9,
)  # fmt: skip
GLASS = GlassFact(id="bg_1", right="owner", state="over", asked_by="person_1", approved_by="person_2", why=True)
LOG = Log(good=True, size=9, signed=9, outside=8, checkpoints=2, erased=0, cut=(), problems=())
PERSON = PersonFact(id="person_1", active=True, sessions=1, idle_days=2)
GONE = PersonFact(id="person_9", active=False, sessions=0, idle_days=200)
KEEPING = KeepingFact(kept=5, overdue=0, erased=2, failed_jobs=())
HOLD = HoldFact(id="hold_1", active=True, why=True, erased=0)
GUARD = GuardFact(
    name="strict",
    on_failure="block",
    schema="pass",
    rules=tuple(
        GuardRuleFact(one, "redact", ("in", "out")) for one in ("indirect", "injection", "moderation", "pii", "secrets")
    ),
)
SETTINGS = SetFact(sign_in=True, outside=1, consent_required=True, most_sensitive="confidential")
GOOD = Facts(
    at="2026-11-23T00:00:00.000Z",
    since="2026-08-25T00:00:00.000Z",
    break_glass=(GLASS,),
    calls=(CALLS,),
    changes=(ChangeFact(kind="key.create", actor="person_1", count=2),),
    endings=(EndingFact(target="rented", state="open", ends_on=""),),
    errata=(ErratumFact(advisory="CVE-1", what="engine", standing="patched"),),
    evals=(EvalFact(id="ev_1", workflow="wf_1", target="rented", at="2026-11-01T00:00:00.000Z", age_days=22),),
    files=(FileFact("data.key", "600"),),
    guards=(GUARD,),
    holds=(HOLD,),
    keeping=KEEPING,
    keys=(KEY,),
    log=LOG,
    models=(MODEL,),
    moves=(MOVE,),
    outside=(Outside(folder="/mnt/a", size=8, at="2026-11-22T00:00:00.000Z", error="", differs=False),),
    people=(PERSON, GONE),
    policy=PolicyFact(version=3, air_gapped=False, closed="", rules=1, cedar=False, budgets=("team/red 5 month",)),
    routes=(RouteFact(name="assistant", targets=("rented",), guard="strict", capture=True, label="", budgets=()),),
    scans=(ScanFact(what="pii/EMAIL", side="request", count=3),),
    sent=(SENT,),
    settings=SETTINGS,
    targets=(TARGET,),
    workflows=(WorkflowFact(id="wf_1", targets=("rented",), calls=7),),
)


def _without(*names: str) -> GuardFact:
    return replace(GUARD, rules=tuple(one for one in GUARD.rules if one.detector not in names))


def _lacking(need: str) -> Facts:
    needs = tuple(NeedFact(one.name, "nobody says so") if one.name == need else one for one in TARGET.needs)
    return replace(GOOD, targets=(replace(TARGET, needs=needs),))


def _keys(**changes: object) -> Facts:
    return replace(GOOD, keys=(KEY, replace(KEY, id="key_2", name="odd", **changes)))


def _calls(**changes: object) -> Facts:
    return replace(GOOD, calls=(CALLS, replace(CALLS, **changes)))


def _sent(**changes: object) -> Facts:
    return replace(GOOD, sent=(SENT, replace(SENT, **changes)))


def _guard(*first: GuardRuleFact) -> Facts:
    return replace(GOOD, guards=(replace(GUARD, rules=(*first, *GUARD.rules)),))


def _models(**changes: object) -> Facts:
    return replace(GOOD, models=(MODEL, replace(MODEL, name="odd", **changes)))


def _move(**changes: object) -> Facts:
    return replace(GOOD, moves=(replace(MOVE, **changes),))


def _log(**changes: object) -> Facts:
    return replace(GOOD, log=replace(LOG, **changes))


PLANTED: tuple[tuple[str, Callable[[], Facts], str], ...] = (
    ("break_glass_two", lambda: replace(GOOD, break_glass=(replace(GLASS, approved_by="person_1"),)), "break_glass/bg_1"),
    ("break_glass_two", lambda: replace(GOOD, break_glass=(replace(GLASS, approved_by=""),)), "break_glass/bg_1"),
    ("break_glass_two", lambda: replace(GOOD, break_glass=(replace(GLASS, why=False),)), "break_glass/bg_1"),
    ("calls_cleared", lambda: _sent(against="rented is cleared for public"), "sent/red/assistant/internal/rented"),
    ("calls_decided", lambda: _calls(decided=False), "calls/red/assistant/internal/rented/ok"),
    ("calls_ended", lambda: _log(cut=("call_9",)), "log/call_9"),
    ("calls_labelled", lambda: _calls(label="unknown"), "calls/red/assistant/unknown/rented/ok"),
    ("calls_named", lambda: _calls(keyed=False), "calls/red/assistant/internal/rented/ok"),
    ("calls_placed", lambda: _sent(region="unknown"), "sent/red/assistant/internal/rented"),
    ("calls_scanned", lambda: _calls(scanned=False), "calls/red/assistant/internal/rented/ok"),
    ("changes_by_people", lambda: replace(GOOD, changes=(ChangeFact(kind="key.create", actor="owner", count=1),)),
     "changes/key.create"),
    ("changes_by_people", lambda: replace(GOOD, changes=(ChangeFact(kind="config.reload", actor="freehold.toml", count=1),)),
     "changes/config.reload"),
    ("consent_asked", lambda: replace(GOOD, settings=replace(SETTINGS, consent_required=False)),
     "settings/consent_required"),
    ("detectors_ran", lambda: replace(GOOD, scans=(ScanFact(what="pii", side="answer", count=2, failed=True),)),
     "scans/answer/pii"),
    ("erasures_done", lambda: replace(GOOD, keeping=replace(KEEPING, failed_jobs=("0a",))), "keeping/0a"),
    ("flaws_known", lambda: replace(GOOD, errata=(ErratumFact(advisory="CVE-1", what="engine", standing="affected"),)),
     "errata/CVE-1/engine"),
    ("guards_injection", lambda: replace(GOOD, guards=(_without("indirect"),)), "routes/assistant"),
    ("guards_moderation", lambda: replace(GOOD, guards=(_without("moderation"),)), "routes/assistant"),
    ("guards_personal", lambda: replace(GOOD, guards=(_without("pii"),)), "routes/assistant"),
    ("guards_personal", lambda: replace(GOOD, guards=()), "routes/assistant"),
    ("guards_personal", lambda: _guard(GuardRuleFact("pii", "flag", ("in", "out"))), "routes/assistant"),
    ("guards_personal", lambda: _guard(GuardRuleFact("pii", "pass", ("in",), ("URL",))), "routes/assistant"),
    ("guards_personal", lambda: _guard(GuardRuleFact("pii", "flag", ("in",), (), ("system",))), "routes/assistant"),
    ("guards_secrets", lambda: replace(GOOD, guards=(_without("secrets"),)), "routes/assistant"),
    ("holds_kept", lambda: replace(GOOD, holds=(replace(HOLD, erased=1),)), "holds/hold_1"),
    ("keys_bounded", lambda: _keys(budgets=()), "keys/odd"),
    ("keys_end", lambda: _keys(expires_at=""), "keys/odd"),
    ("keys_labelled", lambda: _keys(label="unknown"), "keys/odd"),
    ("keys_plain", lambda: _keys(rights=("declassify",)), "keys/odd"),
    ("keys_private", lambda: replace(GOOD, files=(FileFact("data.key", "640"),)), "files/data.key"),
    ("keys_private", lambda: replace(GOOD, files=(FileFact("data.key", ""),)), "files/data.key"),
    ("keys_rotated", lambda: _keys(secret_days=366), "keys/odd"),
    ("keys_scoped", lambda: _keys(routes=("*",)), "keys/odd"),
    ("keys_used", lambda: _keys(idle_days=91), "keys/odd"),
    ("leavers_out", lambda: replace(GOOD, people=(PERSON, replace(GONE, sessions=1))), "people/person_9"),
    ("log_outside", lambda: replace(GOOD, settings=replace(SETTINGS, outside=0)), "settings/outside"),
    ("log_outside", lambda: replace(GOOD, outside=()), "outside"),
    ("log_outside", lambda: replace(GOOD, outside=(replace(GOOD.outside[0], differs=True),)), "outside//mnt/a"),  # type: ignore[index]
    ("log_outside", lambda: _log(outside=0), "log"),
    ("log_whole", lambda: _log(problems=("leaf 3: changed",), good=False), "log"),
    ("log_whole", lambda: _log(good=False), "log"),
    ("log_whole", lambda: _log(checkpoints=0, signed=0), "log"),
    ("models_last", lambda: replace(GOOD, endings=(EndingFact(target="rented", state="ended", ends_on="2026-01-01"),)),
     "endings/rented"),
    ("models_licensed", lambda: _models(licence="NOASSERTION"), "models/odd"),
    ("models_licensed", lambda: _models(licence_verdict="review"), "models/odd"),
    ("models_listed", lambda: _models(statements=()), "models/odd"),
    ("models_scanned", lambda: _models(scan="review"), "models/odd"),
    ("models_scanned", lambda: _models(papers=False), "models/odd"),
    ("models_scanned", lambda: _models(reviewed_by="ann", scan="review", expired=True), "models/odd"),
    ("models_traced", lambda: _models(dataset_sha256=""), "models/odd"),
    ("models_vouched", lambda: _models(signature="none"), "models/odd"),
    ("models_whole", lambda: _models(whole="the file is not what was signed"), "models/odd"),
    ("moves_approved", lambda: _move(approved=()), "moves/mv_1"),
    ("moves_approved", lambda: _move(approved=("canary by owner",)), "moves/mv_1"),
    ("moves_approved", lambda: _move(asked=("canary", "owned")), "moves/mv_1"),
    ("moves_proved", lambda: _move(failed=("canary: evidence",)), "moves/mv_1"),
    ("moves_proved", lambda: _move(by_hand=("person_1",)), "moves/mv_1"),
    ("moves_watched", lambda: _move(watched=0), "moves/mv_1"),
    ("people_present", lambda: replace(GOOD, people=(replace(PERSON, idle_days=91),)), "people/person_1"),
    ("people_sign_in", lambda: replace(GOOD, settings=replace(SETTINGS, sign_in=False)), "settings/sign_in"),
    ("policy_stands", lambda: replace(GOOD, policy=replace(GOOD.policy, rules=0)), "policy"),  # type: ignore[type-var]
    ("retention_kept", lambda: replace(GOOD, keeping=replace(KEEPING, overdue=1)), "keeping"),
    ("routes_guarded", lambda: replace(GOOD, routes=(replace(GOOD.routes[0], guard=""),)), "routes/assistant"),  # type: ignore[index]
    ("targets_encrypted", lambda: replace(GOOD, targets=(replace(TARGET, origin="http://vendor.test:80"),)),
     "targets/rented"),
    ("teams_budgeted", lambda: _keys(budgets=(), limited=True), "keys/odd"),
    ("vendors_baa", lambda: _lacking("baa"), "targets/rented"),
    ("vendors_dpa", lambda: _lacking("dpa"), "targets/rented"),
    ("vendors_no_training", lambda: _lacking("no_training"), "targets/rented"),
    ("vendors_soc2", lambda: _lacking("soc2"), "targets/rented"),
    ("workflows_evaluated", lambda: replace(GOOD, evals=()), "workflows/wf_1/rented"),
    ("workflows_evaluated", lambda: replace(GOOD, evals=(replace(GOOD.evals[0], age_days=366),)),  # type: ignore[index]
     "workflows/wf_1/rented"),
)  # fmt: skip
"""Query, facts with something wrong, and the record that must be named."""
