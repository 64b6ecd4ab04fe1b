"""Courses: whatever routes, moves and labels meet, a plan leads nowhere it may not, and every way out lies ahead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import Label, Level
from freehold.gateway.course import ESCALATE, MEMBER, OVERLAY, Asked, lay, leads
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.explain import explain
from freehold.gateway.routing.joints import Joint, Move
from freehold.gateway.routing.table import RouteTable, compile_routes
from freehold.gateway.routing.types import Composite, Overlay
from freehold.grading.types import Spec
from freehold.policy.permits import Mint
from freehold.policy.types import Policy
from tests.gateway.pieces import route, routes, target

NOW = 1000.0
NAMES = ("a", "b", "c", "d")
CLEARANCES = st.sampled_from(["public", "internal", "confidential"])
LABELS = st.sampled_from([Label(Level.PUBLIC), Label(Level.INTERNAL), Label(Level.CONFIDENTIAL)])


@st.composite
def tables(draw) -> RouteTable:
    targets = tuple(target(name, 9000, clearance=draw(CLEARANCES)) for name in NAMES)
    pair = draw(st.permutations(NAMES))
    composites = (
        Composite(name="pair", kind="agreement", members=tuple(pair[:2]), escalate=pair[2], grader=Spec("label")),
        Composite(name="sure", kind="confidence", members=(pair[3],), escalate=pair[0]),
    )
    ways = draw(st.lists(st.sampled_from((*NAMES, "pair", "sure")), min_size=1, max_size=4, unique=True))
    table = compile_routes(
        1, routes(targets, route("r", *ways), composites=composites), {one.name: one for one in DRIVERS},
        lambda _: "", {}, NOW,
    )  # fmt: skip
    for stop in table.stops.values():
        for _ in range(draw(st.sampled_from([0, 0, 0, 5]))):
            stop.health.breaker.failed(NOW)
    return table


@given(tables(), LABELS, st.sampled_from(("", *NAMES, "pair", "sure")), st.booleans())
def test_a_course_leads_only_where_it_may_and_always_forwards(table, label, first, whole) -> None:
    mint = Mint(1, Policy())
    asked = Asked(label, mint, NOW, b"{}", whole)
    path, way = table.path("r"), table.way(first)
    if way is not None and not leads(Move(Overlay(workflow="w", target=first, share=1), way), asked):
        way = None
    ways = path.plan(label, mint, "", NOW, lambda: 0.0)
    try:
        course = lay(ways, way, asked)
    except NoPermittedTarget:
        # Only a composite's members might have taken it, and here they cannot be asked.
        assert all(isinstance(one, Joint) and not one.escalate.decision(label, mint).allowed for one in ways)
        return
    assert course.plan and all(stop.decision(label, mint).allowed for stop in course.plan)
    lenient = 0
    for at, (stop, step) in enumerate(zip(course.plan, course.steps, strict=True)):
        if step is None:
            continue
        assert step.onward > at
        lenient += step.lenient
        if step.role == OVERLAY:
            assert at == 0 and stop is way
        elif step.role == MEMBER:
            assert step.joint.members[step.number] is stop and stop.health.breaker.allows(NOW)
            assert whole or not step.held
            following = course.steps[step.onward] if step.onward < len(course.plan) else None
            assert (following is not None and following.role == ESCALATE and following.joint is step.joint) == (
                step.joint.escalate.decision(label, mint).allowed
            )
        else:
            assert stop is step.joint.escalate
    assert course.spare == lenient
    ordinary = {one.name for one in ways if not isinstance(one, Joint)}
    assert ordinary <= {stop.name for stop in course.plan}, "no target of the route is lost"
    firm = [stop for stop, step in zip(course.plan, course.steps, strict=True) if step is None]
    assert len(firm) == len(set(firm)), "and none is tried twice"


@given(tables(), LABELS)
def test_a_composite_is_open_to_a_label_where_its_members_or_its_resort_are(table, label) -> None:
    mint = Mint(1, Policy())
    for joint in table.joints.values():
        members = all(stop.decision(label, mint).allowed for stop in joint.members)
        assert joint.decision(label, mint).allowed == (members or joint.escalate.decision(label, mint).allowed)


def test_explain_tells_composites_and_moves() -> None:
    targets = tuple(target(name, 9000, clearance="public" if name == "d" else "internal") for name in NAMES)
    pair = Composite(name="pair", kind="agreement", members=("a", "b"), escalate="c", grader=Spec("label"))
    overlays = (
        Overlay(workflow="wf_1", target="pair", share=0.25), Overlay(workflow="wf_2", target="d", share=1.0),
    )  # fmt: skip
    made = routes(targets, route("r", "pair", "a"), composites=(pair,), overlays=overlays)
    table = compile_routes(3, made, {one.name: one for one in DRIVERS}, lambda _: "", {}, NOW)
    found = explain(table.path("r"), Label(Level.INTERNAL), Mint(1, Policy()), table, NOW, "c")
    assert [(one.target, one.order) for one in found.considered] == [("pair", 1), ("a", 2)]
    assert found.considered[0].reason == "agreement of a and b, else c"
    first, second = found.overlays
    assert (first.workflow, first.target, first.share, first.allowed) == ("wf_1", "pair", 0.25, True)
    assert (second.allowed, second.drawn) == (False, True) and "cleared for public" in second.reason
    quiet = explain(table.path("r"), Label(Level.INTERNAL), Mint(1, Policy()), table, NOW)
    assert [one.drawn for one in quiet.overlays] == [None, None]


@pytest.mark.parametrize("members", [(), ("a",), ("a", "b", "c")])
def test_an_agreement_is_of_two_and_no_name_is_anothers(members) -> None:
    targets = (target("a", 1), target("b", 2), target("c", 3))
    wrong = Composite(name="pair", kind="agreement", members=members, escalate="c", grader=Spec("label"))
    taken = Composite(name="a", kind="confidence", members=("b",), escalate="c")
    overlays = tuple(Overlay(workflow="w", target=name, share=1.0) for name in ("a", "b"))
    content = routes(targets, composites=(wrong, taken), overlays=overlays)
    table = compile_routes(1, content, {one.name: one for one in DRIVERS}, lambda _: "", {}, NOW)
    assert not table.joints and table.moves["w"].way is table.stops["a"]
    assert [word for fault in table.faults for word in ("cannot have", "name of another", "second") if word in fault] == [
        "cannot have", "name of another", "second",
    ]  # fmt: skip
