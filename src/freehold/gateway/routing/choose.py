"""Which arm of a tier goes first, and which follow: pure functions of shares, loads and one number in [0, 1).

For stickiness the number comes from the conversation instead of a dice, so the same conversation lands on the same
arm for as long as the arms and shares stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def place(conversation: str) -> float:
    """A conversation's fixed number in [0, 1)."""
    digest = hashlib.blake2b(conversation.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def drawn(salt: str, what: str) -> float:
    """The fixed number in [0, 1) of a conversation, or a call, in one drawing. Below a share, it is in."""
    return place(f"{salt}\0{what}")


def by_weight(weights: Sequence[float], roll: float) -> int:
    """Index of the arm that `roll` falls on, each arm as wide as its weight. Arms of weight 0 are never first."""
    at = roll * sum(weights)
    for index, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return index
    return max(range(len(weights)), key=weights.__getitem__)


def order_by_weight(weights: Sequence[float], roll: float) -> list[int]:
    """All arms, the one `roll` falls on first and the rest in the order of a fresh fall among those left."""
    left = list(range(len(weights)))
    found: list[int] = []
    while left:
        chosen = left.pop(by_weight([weights[index] for index in left], roll))
        found.append(chosen)
        roll = (roll * 9301.0 + 0.49297) % 1.0
    return found


def order_by_cost(weights: Sequence[float], costs: Sequence[tuple[float, ...]], roll: float) -> list[int]:
    """All arms, cheapest first; ties go to the arm `roll` falls on. Arms of weight 0 come last."""
    first = by_weight(weights, roll)
    return sorted(range(len(weights)), key=lambda index: (weights[index] <= 0, costs[index], index != first, index))


def order_by_load(weights: Sequence[float], loads: Sequence[float], roll: float) -> list[int]:
    """All arms, least calls in flight per share first; ties go to the arm `roll` falls on."""
    first = by_weight(weights, roll)
    cost = [load / weight if weight > 0 else float("inf") for load, weight in zip(loads, weights, strict=True)]
    return sorted(range(len(weights)), key=lambda index: (cost[index], index != first, index))
