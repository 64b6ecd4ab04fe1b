"""Queries about what calls did: where they went, under which label, decided and scanned. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from freehold.assurance.evidence.asking import Judged, Query, against, each, share, there
from freehold.assurance.evidence.facts import CallsFact, Facts, GuardFact, RouteFact, SentFact, TargetFact
from freehold.assurance.evidence.types import Finding

NOWHERE = ("", "unknown")
_ACTS = ("redact", "pseudonymise", "block", "raise", "ask")
"""What a rule does that more than writes a finding down."""
_SOURCES = {"indirect": ("tool", "document"), "injection": ("user",)}
"""Whose texts such an attack is looked for in; a rule of other detectors must hold for everybody's."""


def _sent(facts: Facts) -> Sequence[CallsFact]:
    """Calls of which something went to a target."""
    return [one for one in there(facts.calls) if one.target and one.outcome != "refused"]


def _record(one: CallsFact) -> str:
    return f"calls/{one.team}/{one.route}/{one.label}/{one.target}/{one.outcome}"


def _over(calls: Sequence[CallsFact], why: Callable[[CallsFact], str], what: str) -> Judged:
    """As `asking.each`, counting calls rather than groups of them."""
    count = sum(one.calls for one in calls)
    bad = [(one, told) for one in calls if (told := why(one))]
    return Judged(
        looked_at=count,
        said=share(count - sum(one.calls for one, _ in bad), count, what),
        findings=tuple(Finding(_record(one), f"{one.calls} calls: {told}") for one, told in bad),
    )


def _named(facts: Facts) -> Judged:
    return _over(
        _sent(facts), lambda one: "" if one.keyed else "no key is known", "calls that went to a model: name their key"
    )


def _decided(facts: Facts) -> Judged:
    return _over(
        _sent(facts),
        lambda one: "" if one.decided else "no version of the policy is written down",
        "calls that went to a model: name the version of the policy that let them",
    )


def _attempts(
    facts: Facts, why: Callable[[SentFact], str], what: str, unclear: Callable[[SentFact], str] | None = None
) -> Judged:
    """Over everything that was sent, each attempt counted."""
    sent = there(facts.sent)
    bad = [(one, told) for one in sent if (told := why(one))]
    open_ = [(one, told) for one in sent if unclear is not None and (told := unclear(one))]
    count = sum(one.attempts for one in sent)
    good = count - sum(one.attempts for one, _ in (*bad, *open_))

    def listed(found: Sequence[tuple[SentFact, str]]) -> tuple[Finding, ...]:
        return tuple(
            Finding(f"sent/{one.team}/{one.route}/{one.label}/{one.target}", f"{one.attempts} attempts: {told}")
            for one, told in found
        )

    return Judged(looked_at=count, said=share(good, count, what), findings=listed(bad), unclear=listed(open_))


def _cleared(facts: Facts) -> Judged:
    return _attempts(
        facts,
        lambda one: one.against,
        "attempts: went where the policy in force lets content of their label go",
        lambda one: "" if one.known else f"the target {one.target} is not there any more",
    )


def _placed(facts: Facts) -> Judged:
    return _attempts(
        facts,
        lambda one: "it is not known where their target stands" if not one.owned and one.region in NOWHERE else "",
        "attempts: went to a target whose region is known, or to an owned one",
    )


def _labelled(facts: Facts) -> Judged:
    return _over(
        _sent(facts),
        lambda one: "their label is unknown" if one.label.startswith("unknown") else "",
        "calls that went to a model: bear a label",
    )


def _scanned(facts: Facts) -> Judged:
    return _over(
        _sent(facts), lambda one: "" if one.scanned else "no guard looked at them", "calls: were looked at by a guard"
    )


def _detectors(facts: Facts) -> Judged:
    scans = there(facts.scans)
    failed = [one for one in scans if one.failed]
    looked = sum(one.calls for one in there(facts.calls) if one.scanned)
    said = f"{looked} calls were looked at; detectors failed {sum(one.count for one in failed)} times"
    return Judged(
        looked_at=looked,
        said=said,
        findings=against((f"scans/{one.side}/{one.what}", f"failed {one.count} times") for one in failed),
    )


def _guarded(facts: Facts) -> Judged:
    return each(
        there(facts.routes),
        lambda one: "" if one.guard else "no guard looks at its calls",
        lambda one: f"routes/{one.name}",
        "routes: have a guard",
    )


def _acting(detectors: tuple[str, ...], direction: str, what: str) -> Callable[[Facts], Judged]:
    """Does the guard of every route act on all that these detectors find?"""

    def judge(facts: Facts) -> Judged:
        guards = {one.name: one for one in there(facts.guards)}

        def why(one: RouteFact) -> str:
            if not one.guard:
                return "no guard looks at its calls"
            if one.guard not in guards:
                return f"its guard {one.guard} is not there"
            lacking = [told for each_ in detectors if (told := _spared(guards[one.guard], each_, direction))]
            return f"its guard {one.guard} {', '.join(lacking)}" if lacking else ""

        return each(there(facts.routes), why, lambda one: f"routes/{one.name}", what)

    return judge


def _spared(guard: GuardFact, detector: str, direction: str) -> str:
    """What of a detector's findings a profile does not act on, its rules asked in order; empty for nothing."""
    spared: list[str] = []
    wanted = set(_SOURCES.get(detector, ()))
    for one in guard.rules:
        if one.detector != detector or direction not in one.directions:
            continue
        acts = one.action in _ACTS
        whole = not one.kinds and (not one.sources or (bool(wanted) and wanted <= set(one.sources)))
        if not acts:
            spared.append(", ".join(one.kinds) or "some" if not whole else "all")
        if whole:
            return f"lets pass what {detector} finds: {', '.join(spared)}" if spared else ""
    return f"does not act on {detector}"


def _private(one: TargetFact) -> str:
    return "" if one.local or one.origin.startswith("https:") else f"it is reached in clear: {one.origin}"


def _encrypted(facts: Facts) -> Judged:
    return each(
        there(facts.targets),
        _private,
        lambda one: f"targets/{one.name}",
        "targets: are reached over TLS, or stand here",
    )


def _standing(facts: Facts) -> Judged:
    policy = facts.policy
    assert policy is not None
    rented = [one for one in there(facts.targets) if not one.owned]
    said = f"version {policy.version} of the policy is in force, with {policy.rules} rules of the owner's"
    said += " and rules in Cedar" if policy.cedar else ""
    bare = not (policy.rules or policy.cedar or policy.air_gapped or not rented)
    why = "no rule of the owner's says what rented targets may take" if bare else ""
    return Judged(looked_at=1, said=f"{said}; {len(rented)} targets are rented", findings=against([("policy", why)]))


def _vendors(need: str, what: str, regime: str = "") -> Callable[[Facts], Judged]:
    """Is something known of every rented target (that may take content of a regime)?"""

    def judge(facts: Facts) -> Judged:
        rented = [one for one in there(facts.targets) if not one.owned and _takes(one, regime)]

        def why(one: TargetFact) -> str:
            return next((each_.lacks for each_ in one.needs if each_.name == need), f"nothing is known of {need}")

        return each(rented, why, lambda one: f"targets/{one.name}", what)

    return judge


def _takes(one: TargetFact, regime: str) -> bool:
    """May it take content of the regime? `unknown` is everything."""
    level, _, regimes = one.clearance.partition(":")
    return not regime or level == "unknown" or regime in regimes.split(",")


def _budgets(facts: Facts) -> Judged:
    keys = [one for one in there(facts.keys) if one.active and one.role != "service"]
    return each(
        keys,
        lambda one: "" if one.budgets else "neither it nor its team has a money budget",
        lambda one: f"keys/{one.name}",
        "active keys: spend under a money budget of their own or their team's",
    )


QUERIES = (
    Query(
        name="calls_cleared",
        asked="Did calls go only where the policy in force lets content of their label go?",
        records=("sent",),
        judge=_cleared,
    ),
    Query(
        name="calls_decided",
        asked="Is the policy that let each call go written down with it?",
        records=("calls",),
        judge=_decided,
    ),
    Query(name="calls_labelled", asked="Does every call bear a label?", records=("calls",), judge=_labelled),
    Query(name="calls_named", asked="Is it known whose every call was?", records=("calls",), judge=_named),
    Query(
        name="calls_placed",
        asked="Is the region known to which every call went?",
        records=("sent",),
        judge=_placed,
    ),
    Query(name="calls_scanned", asked="Did a guard look at every call?", records=("calls",), judge=_scanned),
    Query(
        name="detectors_ran",
        asked="Did every detector of the guards do its work?",
        records=("calls", "scans"),
        judge=_detectors,
    ),
    Query(
        name="guards_injection",
        asked="Do guards act on injected instructions, from users and from documents?",
        records=("guards", "routes"),
        judge=_acting(("injection", "indirect"), "in", "routes: have a guard that acts on injected instructions"),
    ),
    Query(
        name="guards_moderation",
        asked="Do guards act on harmful content in answers?",
        records=("guards", "routes"),
        judge=_acting(("moderation",), "out", "routes: have a guard that acts on harmful answers"),
    ),
    Query(
        name="guards_personal",
        asked="Do guards act on personal data before it leaves?",
        records=("guards", "routes"),
        judge=_acting(("pii",), "in", "routes: have a guard that acts on personal data"),
    ),
    Query(
        name="guards_secrets",
        asked="Do guards act on secrets in answers?",
        records=("guards", "routes"),
        judge=_acting(("secrets",), "out", "routes: have a guard that acts on secrets in answers"),
    ),
    Query(
        name="policy_stands",
        asked="Is a policy of the owner's in force?",
        records=("policy", "targets"),
        judge=_standing,
    ),
    Query(name="routes_guarded", asked="Does every route have a guard?", records=("routes",), judge=_guarded),
    Query(
        name="targets_encrypted",
        asked="Is every target that is not on this machine reached over TLS?",
        records=("targets",),
        judge=_encrypted,
    ),
    Query(
        name="teams_budgeted",
        asked="Does everybody spend under a money budget?",
        records=("keys",),
        judge=_budgets,
    ),
    Query(
        name="vendors_baa",
        asked="Is a business associate agreement known with whoever may take health data?",
        records=("targets",),
        judge=_vendors("baa", "rented targets cleared for HIPAA: have a known business associate agreement", "HIPAA"),
    ),
    Query(
        name="vendors_dpa",
        asked="Is a processor agreement known with every vendor?",
        records=("targets",),
        judge=_vendors("dpa", "rented targets: have a known processor agreement"),
    ),
    Query(
        name="vendors_no_training",
        asked="Is it known of every vendor that content trains nothing?",
        records=("targets",),
        judge=_vendors("no_training", "rented targets: are known not to train on content"),
    ),
    Query(
        name="vendors_soc2",
        asked="Is a SOC 2 report known of every vendor?",
        records=("targets",),
        judge=_vendors("soc2", "rented targets: have a known SOC 2 report"),
    ),
)
