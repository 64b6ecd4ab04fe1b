"""Workflow "order desk": a colleague's wish in, one call of a tool out."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from demo.company.wording import ITEMS

_NUMBER = {"type": "integer"}
_TEXT = {"type": "string"}
SYSTEM = "You work at the order desk. Use exactly one tool for each wish."
_SIGNATURES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("find_order", "Look an order up by its number.", {"order": _NUMBER}),
    ("refund_order", "Pay back part of an order, in euros.", {"order": _NUMBER, "euros": _NUMBER}),
    ("reserve_stock", "Set units of an item aside.", {"item": _TEXT, "units": _NUMBER}),
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": text,
            "parameters": {"type": "object", "properties": fields, "required": list(fields)},
        },
    }
    for name, text, fields in _SIGNATURES
]


def example(random: Random) -> tuple[str, str, str]:
    """A wish, the tool's name and its arguments as JSON text."""
    order, euros, units, item = (
        random.randint(1000, 9999),
        random.randint(5, 90),
        random.randint(2, 40),
        random.choice(ITEMS),
    )
    kind = random.randrange(3)
    if kind == 0:
        wish = random.choice(("Show me order {o}.", "What is in {o}?", "Need the details of order no {o}"))
        return wish.format(o=order), "find_order", json.dumps({"order": order})
    if kind == 1:
        wish = random.choice(("Give {e} euros back on {o}.", "Refund order {o}: {e} EUR", "{o} was late, pay back {e}"))
        return wish.format(o=order, e=euros), "refund_order", json.dumps({"order": order, "euros": euros})
    wish = random.choice(("Set {u} of the {i} aside.", "Reserve {u} x {i}", "A club wants {u} units of {i}, hold them"))
    return wish.format(u=units, i=item), "reserve_stock", json.dumps({"item": item, "units": units})
