"""Break-glass as values: whatever is done in whatever order, no right without a second person, none beyond its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import FreeholdError
from freehold.identity.people.break_glass import LONGEST_SECONDS, approved, ended, grants, owner_by, state
from freehold.identity.people.types import BreakGlass

PEOPLE = ("ada", "bob", "")
STEPS = st.lists(
    st.tuples(st.sampled_from(["approve", "end"]), st.sampled_from(PEOPLE), st.floats(0, 5000)), max_size=8
)


@given(
    right=st.sampled_from(["owner", "declassify"]), seconds=st.floats(60, 3000), steps=STEPS, later=st.floats(0, 9000)
)
def test_a_right_is_held_only_between_another_persons_word_and_its_end(right, seconds, steps, later):
    one = BreakGlass(
        id="g",
        right=right,
        key="" if right == "owner" else "key_1",
        why="w",
        seconds=seconds,
        asked_by="ada",
        asked_at=0,
    )
    now, said, over = 0.0, None, None
    for step, who, pause in steps:
        now += pause
        try:
            one = approved(one, who, now) if step == "approve" else ended(one, who, now)
        except FreeholdError:
            continue
        if step == "approve":
            said = (who, now)
        else:
            over = now
    at = now + later
    held = owner_by([one], "ada", at) is not None or bool(grants([one], at).get("key_1"))
    right_time = said is not None and said[1] <= at < said[1] + seconds and over is None
    assert held == right_time
    assert said is None or said[0] == "bob"
    assert said is None or said[1] < 3600
    assert not held or (state(one, at) == "active" and at < one.asked_at + LONGEST_SECONDS)
    assert owner_by([one], "bob", at) is None


@given(until=st.floats(60, 3000), at=st.floats(0, 9000))
def test_the_data_plane_and_the_management_api_agree_on_the_end(until, at):
    one = BreakGlass(
        id="g",
        right="declassify",
        key="k",
        why="w",
        seconds=until,
        asked_by="ada",
        asked_at=0,
        approved_by="bob",
        approved_at=0,
    )
    (told,) = grants([one], 0.0)["k"]
    assert (at < told.until) == (state(one, at) == "active")
