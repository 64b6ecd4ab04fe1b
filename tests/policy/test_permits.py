"""The mint: no permit for a label its target may not take, and the permit holds exactly the body decided on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import UNKNOWN, Label, Level
from freehold.core.permit import Origin
from freehold.policy.decide import decide
from freehold.policy.permits import PERMIT_SECONDS, Mint
from freehold.policy.targets import Target
from freehold.policy.types import Policy

REGIMES = st.frozensets(st.sampled_from(["GDPR", "HIPAA"]))
LABELS = st.builds(Label, st.sampled_from([one for one in Level if one != Level.UNKNOWN]), REGIMES) | st.just(UNKNOWN)
POLICIES = st.builds(Policy, air_gapped=st.booleans())
TARGETS = st.builds(
    Target, name=st.just("t"), provider=st.just("p"), driver=st.just("openai"), dialects=st.just(("openai_chat",)),
    model=st.just("m"), origin=st.just(Origin("https", "vendor.test", 443)), owned=st.booleans(), clearance=LABELS,
)  # fmt: skip


@given(LABELS, TARGETS, POLICIES, st.binary(max_size=50))
def test_a_permit_is_made_exactly_where_the_rules_allow(
    label: Label, target: Target, policy: Policy, body: bytes
) -> None:
    mint = Mint(3, policy)
    allowed = label.within(target.clearance) and (target.owned or not policy.air_gapped)
    decision = decide(label, target, policy)
    assert decision.allowed == allowed and decision.reason
    if allowed:
        permit = mint.permit(b"i" * 16, label, target, body, 50.0)
        assert (permit.body, permit.origin, permit.label) == (body, target.origin, label)
        assert permit.body_sha256 == hashlib.sha256(body).digest()
        assert permit.expires_at == 50.0 + PERMIT_SECONDS and permit.policy_version == 3
    else:
        with pytest.raises(NoPermittedTarget, match=r"\S"):
            mint.permit(b"i" * 16, label, target, body, 50.0)


@given(LABELS, LABELS, TARGETS, POLICIES)
def test_raising_a_label_never_opens_a_target(label: Label, more: Label, target: Target, policy: Policy) -> None:
    if decide(label.join(more), target, policy).allowed:
        assert decide(label, target, policy).allowed


@given(LABELS, TARGETS)
def test_an_air_gap_never_opens_a_target(label: Label, target: Target) -> None:
    if decide(label, target, Policy(air_gapped=True)).allowed:
        assert decide(label, target, Policy()).allowed and target.owned
