"""Invented texts and requests out of a seed: what the synthetic logs are made of."""

from __future__ import annotations

import json
import random
from typing import Any

Row = tuple[str, dict[str, Any], str | list[Any]]
"""Workflow, request, and the answer: text, or names and arguments of tool calls."""

TOPICS = {
    "billing": "invoice refund charge payment card receipt subscription fee balance statement tax vat discount credit",
    "travel": "flight hotel booking luggage airport seat passport visa train ticket delay itinerary gate transfer",
    "health": "doctor symptom tablet dose fever allergy clinic blood pressure vaccine sleep diet headache nurse",
    "tech": "server database latency deploy container network kernel memory cache python compiler thread socket query",
    "garden": "tomato soil compost rose pruning seed watering frost lawn hedge greenhouse bulb mulch slug",
    "law": "contract clause tenant liability court notice damages lease witness appeal party statute breach fine",
    "food": "recipe oven flour butter garlic onion sauce pasta rice spice knife pan grill dessert",
    "sport": "match goal referee league coach training injury striker season stadium ticket medal race tactics",
}
NAMES = "Ada Ben Chloe Dimitri Elif Farid Greta Hugo Ines Jonas Kofi Lena Mira Noor Otto Paula Rosa Sami"
PLACES = "Berlin Oslo Lyon Porto Leeds Turin Gdansk Malmo Ghent Basel Cork Bergen Graz Nantes Aarhus"
GLUE = "the a of to and in is for on with that it was not be at as are this have from by or we they you i"
OPENERS = (
    "what is the best way to", "can you help me with", "how do i", "write a short story about", "explain", "why does",
    "give me ten ideas for", "i was wondering about", "tell me about", "is it true that", "help", "compare",
)  # fmt: skip


class Draw:
    """Texts out of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names, self.places, self._glue = NAMES.split(), PLACES.split(), GLUE.split()
        self._words = {name: self._vocabulary(text.split()) for name, text in TOPICS.items()}

    def _vocabulary(self, stems: list[str]) -> list[str]:
        ends = ("", "s", "ing", "ed", "er", "less", "able", "ful")
        return [stem + end for stem in stems for end in ends]

    def text(self, topic: str, least: int, most: int) -> str:
        """So many words about a topic, in sentences."""
        draw, found = self.random, []
        for _ in range(draw.randint(least, most)):
            word = draw.choice(self._glue) if draw.random() < 0.5 else draw.choice(self._words[topic])
            if draw.random() < 0.05:
                word = draw.choice(self.names + self.places)
            if draw.random() < 0.04:
                word = str(draw.randint(2, 9999))
            found.append(word + ("." if draw.random() < 0.08 else ""))
        return " ".join(found).capitalize()

    def any(self, least: int, most: int) -> str:
        """Text about anything."""
        return self.text(self.random.choice(sorted(TOPICS)), least, most)

    def pick(self, *of: Any) -> Any:
        """One of these."""
        return self.random.choice(of)

    def name(self) -> str:
        """A person."""
        return f"{self.random.choice(self.names)} {self.random.choice(self.names)}sson"

    def day(self) -> str:
        """A date and a time."""
        draw = self.random
        return (
            f"2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02} {draw.randint(0, 23):02}:{draw.randint(0, 59):02}"
        )

    def key(self) -> str:
        """An id."""
        return f"{self.random.getrandbits(64):016x}"


def ask(user: str, system: str = "", tools: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A request of one turn."""
    messages = [{"role": "system", "content": system}] if system else []
    request: dict[str, Any] = {"model": "m", "messages": [*messages, {"role": "user", "content": user}], **more}
    if tools:
        request["tools"] = [{"type": "function", "function": {"name": one, "parameters": {}}} for one in tools]
    return request


def chat(draw: Draw, system: str = "") -> dict[str, Any]:
    """Somebody asks a model whatever comes to mind, some in several turns."""
    asked = f"{draw.random.choice(OPENERS)} {draw.any(2, 25)}".strip()
    request = ask(asked, system)
    for _ in range(draw.pick(0, 0, 0, 1, 3)):
        request["messages"] += [
            {"role": "assistant", "content": draw.any(20, 80)},
            {"role": "user", "content": draw.any(2, 15)},
        ]
    return request


def exploratory_answer(draw: Draw) -> str:
    """An answer of any form."""
    form = draw.pick("prose", "prose", "list", "short", "long")
    if form == "list":
        return "\n".join(f"{one}. {draw.any(4, 12)}" for one in range(1, draw.random.randint(3, 10)))
    least, most = {"prose": (30, 120), "short": (3, 9), "long": (150, 400)}[form]
    return draw.any(least, most)


def fields(draw: Draw, *keys: str) -> str:
    """A JSON object."""
    return json.dumps({one: draw.any(1, 3) for one in keys})
