"""The compiled route table: refuses what does not hold together, plans only what policy allows, and explains itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadConfig, MissingCredential, UnknownModel
from freehold.core.label import Label, Level, parse_label
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.outgoing import prepare
from freehold.gateway.ports import Peek
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.choose import place
from freehold.gateway.routing.explain import explain
from freehold.gateway.routing.table import Health, RouteTable, compile_routes
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.policy.permits import Mint
from freehold.policy.types import Policy
from tests.gateway.pieces import PRICE, route, routes, target

NOW = 1000.0
NAMES = ("a", "b", "c", "d")
CLEARANCES = st.sampled_from(["public", "internal", "confidential", "restricted", "internal:GDPR"])
LABELS = st.builds(
    Label, st.sampled_from([one for one in Level if one != Level.UNKNOWN]), st.frozensets(st.just("GDPR"))
) | st.just(Label())


def compiled(content: Routes, health: dict[str, Health] | None = None, resolve=lambda _: "secret") -> RouteTable:
    return compile_routes(
        1, content, {one.name: one for one in DRIVERS}, resolve, {} if health is None else health, NOW
    )


@st.composite
def tables(draw) -> RouteTable:
    targets = tuple(target(name, 9000, clearance=draw(CLEARANCES), owned=draw(st.booleans())) for name in NAMES)
    order = draw(st.permutations(NAMES))
    cut = draw(st.integers(1, 4))
    tiers = tuple(tuple(Arm(one, draw(st.floats(0, 5))) for one in part) for part in (order[:cut], order[cut:]) if part)
    made = Route(
        name="r", tiers=tiers, choose=draw(st.sampled_from(["weighted", "least_loaded"])), sticky=draw(st.booleans()),
        label=draw(st.sampled_from(["", "internal", "public:GDPR"])),
    )  # fmt: skip
    table = compiled(routes(targets, made))
    for stop in table.stops.values():
        stop.health.in_flight = draw(st.integers(0, 3))
        for _ in range(draw(st.sampled_from([0, 0, 5]))):
            stop.health.breaker.failed(NOW)
    return table


@given(tables(), LABELS, st.booleans(), st.text(max_size=5), st.floats(0, 1, exclude_max=True))
def test_a_plan_holds_each_allowed_target_once_and_no_other(table, label, air_gapped, conversation, roll) -> None:
    path, mint = table.path("r"), Mint(1, Policy(air_gapped=air_gapped))
    joined = label if path.label is None else label.join(path.label)
    plan = path.plan(joined, mint, conversation, NOW, lambda: roll)
    allowed = {one.name for one in table.stops.values() if mint.decision(joined, one.target).allowed}
    assert len(plan) == len({one.name for one in plan})
    assert {one.name for one in plan} == allowed
    rests = [not stop.health.breaker.allows(NOW) for stop in plan]
    assert rests == sorted(rests)  # those at rest are tried last
    tier = {stop.name: index for index, stops in enumerate(path.tiers) for stop in stops}
    ready = [tier[stop.name] for stop in plan if stop.health.breaker.allows(NOW)]
    assert ready == sorted(ready)


@given(tables(), LABELS, st.booleans(), st.text(min_size=1, max_size=5))
def test_explain_says_what_the_hot_path_does(table, label, air_gapped, conversation) -> None:
    path, mint = table.path("r"), Mint(7, Policy(air_gapped=air_gapped))
    joined = label if path.label is None else label.join(path.label)
    found = explain(path, label, mint, table, NOW, conversation)
    roll = place(conversation) if path.route.sticky else 0.0  # the dice is shown as it falls at zero
    plan = [one.name for one in path.plan(joined, mint, conversation, NOW, lambda: roll)]
    told = sorted((one for one in found.considered if one.order), key=lambda one: one.order)
    assert [one.target for one in told] == plan
    assert found.chosen == (plan[0] if plan else "")
    assert {one.target for one in found.considered} == set(NAMES)
    assert all(one.allowed == bool(one.order) for one in found.considered)
    assert all(one.reason for one in found.considered)
    for index in range(len(path.tiers)):
        shares = [one.share for one in found.considered if one.tier == index + 1]
        assert sum(shares) == pytest.approx(1) or not any(shares)
    assert (found.routes_version, found.policy_version, found.label) == (1, 7, str(joined))


@given(
    tables(),
    LABELS,
    st.text(min_size=1, max_size=5),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
)
def test_a_conversation_sticks_whatever_the_dice_say(table, label, conversation, one, other) -> None:
    path, mint = table.path("r"), Mint(1, Policy())
    if path.route.sticky:
        plans = [path.plan(label, mint, conversation, NOW, lambda roll=roll: roll) for roll in (one, other)]
        assert plans[0] == plans[1]


A = target("a", 9000)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (routes((A,), route("r", "b")), "does not exist"),
        (routes((A,), Route(name="r", tiers=())), "names no target"),
        (routes((A,), Route(name="r", tiers=((),))), "names no target"),
        (routes((target("a", 1, driver="gopher"),), route("r", "a")), "driver 'gopher'"),
        (routes((A,), route("r", "a"), aliases=(("x", "nowhere"),)), "alias 'x'"),
    ],
)
def test_what_does_not_hold_together_is_refused(content: Routes, says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        compiled(content)


def test_an_alias_leads_to_its_route() -> None:
    table = compiled(routes((A,), route("assistant", "a"), aliases=(("gpt-4o", "assistant"),)))
    assert table.path("gpt-4o") is table.path("assistant")


def test_an_unknown_model_is_told_its_neighbours() -> None:
    table = compiled(routes((A,), route("assistant", "a"), route("summary", "a")))
    with pytest.raises(UnknownModel) as found:
        table.path("asistant")
    assert "'assistant'" in found.value.hint and found.value.param == "model"


def test_health_outlives_the_swap_of_the_table() -> None:
    health: dict[str, Health] = {}
    compiled(routes((A,), route("r", "a")), health).stops["a"].health.in_flight = 3
    again = compiled(routes((A, target("b", 9001)), route("r", "a", "b")), health)
    assert again.stops["a"].health.in_flight == 3 and again.stops["b"].health.in_flight == 0


@given(st.integers(0, 5000), st.none() | st.integers(0, 500), st.integers(1, 3), st.booleans(), st.integers(0, 3))
def test_the_bound_covers_every_byte_and_the_longest_answer(size, most, choices, tools, images) -> None:
    stop = compiled(routes((A,), route("r", "a"))).stops["a"]
    body = b'{"type":"image_url"}' * images + b"x" * size
    bound = stop.bound(body, Peek(model="r", max_output=most, choices=choices, tools=tools))
    output = stop.target.max_output_tokens if most is None else most
    least = (len(body) * PRICE.input + output * choices * PRICE.output) / 1_000_000
    assert bound >= least
    assert (bound == least) == (not tools and not images)  # both cost more than their bytes


def test_labels_read_from_a_route_raise_what_is_sent_there() -> None:
    table = compiled(routes((target("a", 1, clearance="internal"),), route("r", "a", label="restricted")))
    path, mint = table.path("r"), Mint(1, Policy())
    assert path.label == parse_label("restricted")
    assert explain(path, parse_label("public"), mint, table, NOW).chosen == ""


def test_a_missing_key_takes_no_other_target_along() -> None:
    def resolve(reference: str) -> str:
        raise BadConfig(f"{reference} is not set")

    table = compiled(routes((target("lost", 9000), target("keyless", 9001)), route("r", "lost")), resolve=resolve)
    with pytest.raises(MissingCredential, match="ref is not set"):
        prepare(dialect("openai_chat"), b"{}", Peek("r"), table.stops["lost"], {}, strict=False)
    assert compiled(routes((target("good", 9000),), route("r", "good"))).stops["good"].fault == ""


def test_a_target_named_as_a_model_is_told_apart() -> None:
    table = compiled(routes((target("t", 9000),), route("r", "t")))
    with pytest.raises(UnknownModel) as told:
        table.path("t")
    assert "target" in told.value.hint and told.value.hint.endswith("r")
