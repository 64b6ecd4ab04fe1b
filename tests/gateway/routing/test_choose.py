"""The choice of arms: always all of them once, in proportion to their weights, and the same for a conversation."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from freehold.gateway.routing.choose import by_weight, order_by_load, order_by_weight, place

WEIGHTS = st.lists(st.floats(0, 100), min_size=1, max_size=6)
ROLL = st.floats(0, 1, exclude_max=True)


@given(WEIGHTS, ROLL)
def test_the_order_is_a_permutation(weights: list[float], roll: float) -> None:
    assert sorted(order_by_weight(weights, roll)) == list(range(len(weights)))
    loads = [float(index) for index in range(len(weights))]
    assert sorted(order_by_load(weights, loads, roll)) == list(range(len(weights)))


@given(WEIGHTS, ROLL)
def test_an_arm_without_weight_is_first_only_where_none_has_any(weights: list[float], roll: float) -> None:
    first = by_weight(weights, roll)
    assert weights[first] > 0 or not any(weights)
    assert order_by_weight(weights, roll)[0] == first


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
def test_shares_are_the_weights(weights: list[int]) -> None:
    rolls = 5000
    found = Counter(by_weight(weights, (index + 0.5) / rolls) for index in range(rolls))
    for arm, weight in enumerate(weights):
        assert abs(found[arm] / rolls - weight / sum(weights)) < 0.002


def test_fallbacks_of_an_arm_are_spread_by_weight_too() -> None:
    rolls = 20_000
    seconds = Counter()
    for index in range(rolls):
        order = order_by_weight((2.0, 1.0, 1.0), (index + 0.5) / rolls)
        if order[0] == 0:
            seconds[order[1]] += 1
    assert abs(seconds[1] / (seconds[1] + seconds[2]) - 0.5) < 0.03


@given(st.text(max_size=30), WEIGHTS)
def test_a_conversation_stays_where_it_is(conversation: str, weights: list[float]) -> None:
    at = place(conversation)
    assert 0 <= at < 1 and at == place(conversation)
    assert order_by_weight(weights, at) == order_by_weight(weights, place(conversation))


def test_conversations_spread_evenly() -> None:
    found = Counter(by_weight((1.0, 1.0, 2.0), place(f"conversation-{index}")) for index in range(8000))
    assert abs(found[2] / 8000 - 0.5) < 0.03 and abs(found[0] / 8000 - 0.25) < 0.03


@given(st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 50)), min_size=1, max_size=6), ROLL)
def test_the_least_loaded_per_share_goes_first(arms: list[tuple[float, int]], roll: float) -> None:
    weights, loads = [weight for weight, _ in arms], [float(load) for _, load in arms]
    cost = [load / weight for weight, load in zip(weights, loads, strict=True)]
    order = order_by_load(weights, loads, roll)
    assert [cost[index] for index in order] == sorted(cost)
    ties = [index for index in order if cost[index] == cost[order[0]]]
    if by_weight(weights, roll) in ties:
        assert order[0] == by_weight(weights, roll)
