"""Labels are a lattice: the join only moves up, unknown is the top, and a clearance takes what lies below it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadRequest
from freehold.core.label import PUBLIC, UNKNOWN, Label, Level, parse_label

REGIMES = st.frozensets(st.sampled_from(["GDPR", "HIPAA", "PCI", "ITAR"]))
LABELS = st.builds(Label, st.sampled_from(Level), REGIMES)


@given(LABELS, LABELS, LABELS)
def test_join_is_commutative_associative_and_idempotent(a: Label, b: Label, c: Label) -> None:
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(a) == a


@given(LABELS, LABELS)
def test_join_is_the_least_upper_bound(a: Label, b: Label) -> None:
    joined = a.join(b)
    assert a.within(joined) and b.within(joined)
    assert joined.level == max(a.level, b.level)
    assert joined.regimes == a.regimes | b.regimes, "what is known of regimes outlives a failure"


@given(LABELS)
def test_public_is_the_bottom_and_unknown_the_top_level(a: Label) -> None:
    assert PUBLIC.join(a) == a and PUBLIC.within(a)
    assert UNKNOWN.join(a) == Label(Level.UNKNOWN, a.regimes) and a.within(UNKNOWN)
    assert UNKNOWN.within(a) == (a.level == Level.UNKNOWN)


@given(LABELS, LABELS, LABELS)
def test_what_may_go_stays_allowed_for_less_and_refused_for_more(label: Label, more: Label, clearance: Label) -> None:
    if label.join(more).within(clearance):
        assert label.within(clearance) and more.within(clearance)
    if label.within(clearance):
        assert label.within(clearance.join(more))


@given(LABELS, LABELS)
def test_within_is_the_order_of_the_join(a: Label, b: Label) -> None:
    cleared_for_everything = b.level == Level.UNKNOWN
    assert a.within(b) == (cleared_for_everything or a.join(b) == b)


@given(LABELS)
def test_text_form_reads_back(a: Label) -> None:
    assert parse_label(str(a)) == a


@given(st.text(max_size=40))
def test_any_text_is_a_label_or_a_bad_request(text: str) -> None:
    try:
        found = parse_label(text)
    except BadRequest:
        return
    assert parse_label(str(found)) == found


@pytest.mark.parametrize("text", ["", "secret", "4", "public:g d", "internal:1X", "internal:" + "A" * 33])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as found:
        parse_label(text)
    assert found.value.param == "label"
