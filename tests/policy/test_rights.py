"""The rights gate: unknown means no, written overrides win, and cleared sets come from the gate alone."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import RightsRefused
from freehold.core.label import Label, Level, parse_label
from freehold.policy.rights import Cleared, Facts, Override, Rules, clear_all, gate, may, told
from freehold.policy.terms import PURPOSES, TERMS, Term, stale, term
from freehold.settings.compile import rights
from freehold.settings.tree import Settings

TODAY = date(2026, 11, 22)
OPEN = Facts(id="1", label="internal", vendor="openai-api")

labels = st.sampled_from(
    ["public", "internal", "confidential", "confidential:GDPR", "restricted", "unknown", "nonsense"]
)
facts = st.builds(
    Facts,
    id=st.text("abc", min_size=1, max_size=3),
    label=labels,
    consent=st.sampled_from([None, True, False]),
    maker=st.sampled_from(["vendor", "person", "owned", "synthetic"]),
    vendor=st.sampled_from(["", "openai-api", "anthropic-api", "aws-bedrock", "somebody"]),
    licence=st.sampled_from(["", "Apache-2.0", "llama3", "gemma", "other"]),
)
overrides = st.builds(
    Override,
    party=st.sampled_from(["openai-api", "anthropic-api", "licence:gemma"]),
    purpose=st.sampled_from(PURPOSES),
    allowed=st.booleans(),
    reason=st.just("contract 7"),
    by=st.just("Ada"),
    since=st.sampled_from(["2026-01-01", "2026-11-22", "2027-01-01"]),
    until=st.sampled_from(["", "2026-11-21", "2027-12-31"]),
)
rules = st.builds(
    Rules,
    most_sensitive=st.sampled_from([Label(Level.PUBLIC), Label(Level.CONFIDENTIAL), parse_label("restricted:GDPR")]),
    unlabelled=st.sampled_from([None, Label(Level.INTERNAL)]),
    consent_required=st.booleans(),
    overrides=st.lists(overrides, max_size=3).map(tuple),
)
purposes = st.sampled_from(PURPOSES)


@pytest.mark.parametrize(
    ("change", "purpose", "codes"),
    [
        ({}, "train_classifier", set()),
        ({}, "train_generative", {"terms"}),
        ({}, "evaluate", set()),
        ({"vendor": "anthropic-api"}, "train_classifier", {"terms"}),
        ({"vendor": "mistral-api"}, "train_classifier", {"terms"}),
        ({"vendor": "nobody-knows"}, "evaluate", {"terms"}),
        ({"vendor": ""}, "train_classifier", {"origin"}),
        ({"maker": "owned"}, "train_generative", {"origin"}),
        ({"maker": "owned", "licence": "Apache-2.0"}, "train_generative", set()),
        ({"maker": "owned", "licence": "llama3"}, "train_generative", {"terms"}),
        ({"maker": "person", "vendor": "anthropic-api"}, "train_generative", set()),
        ({"maker": "synthetic", "vendor": ""}, "train_generative", set()),
        ({"consent": False}, "train_classifier", {"consent"}),
        ({"consent": False}, "evaluate", set()),
        ({"label": "unknown"}, "train_classifier", {"label"}),
        ({"label": "restricted"}, "train_classifier", {"label"}),
        ({"label": "confidential:HIPAA"}, "train_classifier", {"label"}),
        ({"label": "what"}, "train_classifier", {"label"}),
        ({"label": "restricted", "consent": False}, "train_generative", {"label", "consent", "terms"}),
    ],
)
def test_what_the_table_and_the_record_say(change, purpose, codes):
    verdict = may(msgspec.structs.replace(OPEN, **change), purpose, Rules(), TODAY)
    assert {code for code, _ in verdict.reasons} == codes
    assert verdict.allowed is (not codes)


def test_content_without_a_label_counts_as_the_owner_says_and_labelled_content_as_labelled():
    rules = Rules(unlabelled=Label(Level.INTERNAL))
    assert may(msgspec.structs.replace(OPEN, label="unknown"), "train_classifier", rules, TODAY).allowed
    assert not may(msgspec.structs.replace(OPEN, label="restricted"), "train_classifier", rules, TODAY).allowed


def test_a_written_override_wins_while_it_holds_and_names_its_writer():
    word = Override(
        party="anthropic-api", purpose="train_generative", allowed=True, reason="contract", by="Ada",
        since="2026-06-01", until="2026-12-31",
    )  # fmt: skip
    asked = msgspec.structs.replace(OPEN, vendor="anthropic-api")
    rules = Rules(overrides=(word,))
    assert may(asked, "train_generative", rules, TODAY).allowed
    assert not may(asked, "train_classifier", rules, TODAY).allowed
    assert not may(asked, "train_generative", rules, date(2027, 1, 1)).allowed
    assert not may(asked, "train_generative", rules, date(2026, 5, 31)).allowed
    against = msgspec.structs.replace(word, allowed=False, by="Grace", since="2026-07-01")
    verdict = may(asked, "train_generative", Rules(overrides=(against, word)), TODAY)
    assert "Grace" in verdict.reasons[0][1]


@given(st.lists(facts, max_size=12), purposes, rules)
def test_what_passes_the_gate_may_be_used_and_nothing_else_passes(records, purpose, given_rules):
    gated = gate([(one, one) for one in records], purpose, given_rules, TODAY)
    assert list(gated.cleared) == [one for one in records if may(one, purpose, given_rules, TODAY).allowed]
    assert gated.refused + len(gated.cleared) == len(records)
    assert all(0 < one.count <= gated.refused and one.ids for one in gated.refusals)
    assert (gated.refused > 0) == bool(gated.refusals)


@given(facts, rules)
def test_a_refused_consent_a_higher_label_and_an_unknown_origin_never_train(record, given_rules):
    for purpose in ("train_classifier", "train_generative"):
        if may(record, purpose, given_rules, TODAY).allowed:
            assert record.consent is not False
            assert record.consent or not given_rules.consent_required
            level = parse_label(record.label)
            known = given_rules.unlabelled if level.level == Level.UNKNOWN else level
            assert known is not None and known.within(given_rules.most_sensitive)
            assert record.maker != "vendor" or record.vendor
            assert record.maker != "owned" or record.licence


@given(facts, purposes, rules)
def test_without_overrides_only_rows_that_are_sure_and_say_yes_allow_a_vendors_answer(record, purpose, given_rules):
    plain = msgspec.structs.replace(given_rules, overrides=())
    if may(record, purpose, plain, TODAY).allowed and record.maker in ("vendor", "owned"):
        row = term(record.vendor if record.maker == "vendor" else f"licence:{record.licence}", purpose)
        assert row is not None and row.allowed and row.certainty != "low"


def test_all_or_nothing_names_every_reason_with_its_count():
    records = [
        OPEN,
        msgspec.structs.replace(OPEN, id="2", consent=False),
        msgspec.structs.replace(OPEN, id="3", label="restricted"),
    ]
    with pytest.raises(RightsRefused) as refused:
        clear_all([(one, one) for one in records], "train_classifier", Rules(), TODAY)
    assert "2 of 3 records" in refused.value.message
    assert "1 x consent" in refused.value.message and "1 x label" in refused.value.message
    assert len(clear_all([(OPEN, OPEN)], "train_classifier", Rules(), TODAY)) == 1


def test_nobody_but_the_gate_clears_records():
    with pytest.raises(TypeError):
        Cleared(object(), ["x"], "train_classifier", "2026-11-22")


def test_refusals_are_told_without_content():
    gated = gate([("the content", msgspec.structs.replace(OPEN, consent=False))], "train_classifier", Rules(), TODAY)
    assert "the content" not in told(gated) and "consent was refused" in told(gated)


def test_every_party_has_one_row_for_each_purpose_with_source_and_day():
    parties = {one.party for one in TERMS}
    assert sorted((one.party, one.purpose) for one in TERMS) == sorted((p, q) for p in parties for q in PURPOSES)
    assert all(one.source.startswith("https://") and date.fromisoformat(one.as_of) for one in TERMS)
    assert [one.party for one in TERMS] == sorted(one.party for one in TERMS)


def test_no_row_is_half_a_year_older_than_the_newest():
    newest = max(date.fromisoformat(one.as_of) for one in TERMS)
    assert stale(newest) == ()  # a person reads the stale rows again, then moves their day


def test_a_row_grows_stale_after_180_days():
    row = Term("x", "evaluate", True, "", "high", "https://x", "2026-01-01")
    assert stale(date(2026, 6, 30), (row,)) == ()
    assert stale(date(2026, 7, 1), (row,)) == (row,)


def test_the_file_says_the_owners_rules():
    told_rules = rights(
        Settings.model_validate(
            {
                "rights": {
                    "most_sensitive": "restricted:GDPR",
                    "unlabelled": "internal",
                    "consent_required": True,
                    "overrides": [
                        {
                            "party": "anthropic-api",
                            "purpose": "train_generative",
                            "allowed": True,
                            "reason": "contract 12",
                            "by": "Ada",
                            "since": "2026-06-01",
                        }
                    ],
                }
            }
        )
    )
    assert str(told_rules.most_sensitive) == "restricted:GDPR" and str(told_rules.unlabelled) == "internal"
    assert told_rules.consent_required and told_rules.overrides[0].since == "2026-06-01"
    assert rights(Settings()) == Rules()


def test_how_unlabelled_content_counts_says_nothing_of_the_regimes_that_are_known():
    rules = Rules(unlabelled=parse_label("internal"))
    assert may(Facts(id="1", label="unknown", vendor="openai-api"), "train_classifier", rules, TODAY).allowed
    told_of = may(Facts(id="1", label="unknown:HIPAA", vendor="openai-api"), "train_classifier", rules, TODAY)
    assert [code for code, _ in told_of.reasons] == ["label"]
