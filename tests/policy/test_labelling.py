"""The join law: whatever goes into a call raises its label, text never lowers it, and a right is used in the open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, Forbidden
from freehold.core.label import UNKNOWN, Label, Level, parse_label
from freehold.identity.types import Grant, Principal
from freehold.policy import labelling as law
from tests.policy.worlds import LABELS

SAID = st.lists(LABELS | st.none(), max_size=5)
FOUND = st.lists(LABELS, max_size=3)


def principal(*rights: str, until: float | None = None) -> Principal:
    grants = tuple(Grant(one, until) for one in rights) if until is not None else ()
    return Principal(key_id="key_1", name="app", digest=b"", rights=() if grants else rights, grants=grants)


@given(SAID, FOUND, st.booleans())
def test_a_label_is_at_least_everything_that_went_into_it(said, findings, failed) -> None:
    label = law.label_of(said, findings, failed=failed)
    for one in [*(one for one in said if one is not None), *findings]:
        assert one.join(label) == label
    if failed or not any(one is not None for one in said):
        assert label.level == Level.UNKNOWN


@given(SAID, SAID, FOUND, FOUND)
def test_the_order_in_which_it_came_does_not_count(said, more, findings, found) -> None:
    assert law.label_of([*said, *more], [*findings, *found]) == law.label_of([*more, *said], [*found, *findings])


@given(SAID, st.lists(LABELS, min_size=1, max_size=3), FOUND)
def test_more_content_never_lowers(said, more, findings) -> None:
    if any(one is not None for one in said):
        before = law.label_of(said, findings)
        after = law.label_of([*said, *more], findings)
        assert before.join(after) == after


@given(SAID, FOUND)
def test_an_answer_is_labelled_as_what_was_asked(said, findings) -> None:
    asked = law.label_of(said, findings)
    assert law.answered(asked) == asked
    assert law.label_of([asked, parse_label("public")]) == asked, "and so is every later turn that holds it"


@given(st.text(max_size=30))
def test_what_is_no_label_inside_a_message_is_unknown(text) -> None:
    try:
        expected = parse_label(text)
    except BadRequest:
        expected = UNKNOWN
    assert law.read(text) == expected


@given(LABELS, LABELS, SAID, FOUND)
def test_without_the_right_nothing_lowers(label, to, said, findings) -> None:
    with pytest.raises(Forbidden, match="may not lower"):
        law.lower(label, to, principal("override_label"), 0.0, "why")


@given(LABELS, LABELS, FOUND, st.booleans())
def test_a_right_lowers_what_was_said_and_nothing_that_was_found(label, to, findings, failed) -> None:
    try:
        lowered = law.lower(label, to, principal("declassify"), 0.0, "reviewed")
    except BadRequest:
        assert to == label or to.join(label) != label
        return
    found = law.label_of((label,), findings, failed=failed, lowered=lowered)
    assert found == law.label_of((to,), findings, failed=failed)
    assert lowered.told()["before"] == str(label) and lowered.told()["key"] == "key_1"
    other = label.join(Label(Level.PUBLIC, frozenset({"OTHER"})))
    assert law.label_of((other,), lowered=lowered) == other, "a lowering is for the very label it was made for"


def test_a_right_for_a_while_ends() -> None:
    holder = principal("declassify", until=100.0)
    label, to = parse_label("restricted:GDPR"), parse_label("internal")
    assert law.lower(label, to, holder, 99.0, "reviewed").after == to
    with pytest.raises(Forbidden):
        law.lower(label, to, holder, 100.0, "reviewed")


def test_lowering_without_a_reason_is_refused() -> None:
    with pytest.raises(BadRequest, match="reason"):
        law.lower(parse_label("restricted"), parse_label("public"), principal("declassify"), 0.0, "  ")


@given(LABELS, LABELS)
def test_a_stated_label_joins_the_default_unless_a_right_says_otherwise(default, stated) -> None:
    assert law.started(default, stated, principal("declassify"), 0.0) == (default.join(stated), None)
    label, use = law.started(default, stated, principal("override_label"), 0.0)
    assert label == stated and (use is None) == (default.join(stated) == stated)
    assert law.started(default, None, principal("override_label"), 0.0) == (default, None)


def test_the_header_states_label_and_reason() -> None:
    assert law.wish('internal:GDPR; reason="reviewed by J. Roe"') == (
        parse_label("internal:GDPR"),
        "reviewed by J. Roe",
    )


@pytest.mark.parametrize("header", ["", "internal", "internal;", "internal; reason=", "secret; reason=x", "; reason=x"])
def test_a_header_that_lacks_something_is_refused(header) -> None:
    with pytest.raises(BadRequest):
        law.wish(header)
