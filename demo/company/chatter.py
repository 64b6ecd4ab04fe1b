"""No workflow at all: what colleagues ask a general assistant, each time something else."""

from __future__ import annotations

from random import Random

_ASKS = (
    "Write a short {tone} note about {topic}.",
    "What should I know about {topic} before {event}?",
    "Give me three ideas for {event} around {topic}.",
    "Explain {topic} to {who}.",
    "Is {topic} worth it? Argue both sides.",
    "Draft a {tone} reply to {who} about {topic}.",
    "Compare {topic} with {other}.",
    "Make a plan for {event}, {tone} please.",
    "Summarise what {who} would care about in {topic}.",
    "How would you explain {event} with an image from {topic}?",
)
_TOPICS = (
    "down insulation",
    "the new returns desk",
    "bicycle leasing",
    "tide tables",
    "sourdough",
    "remote work",
    "solar chargers",
    "wolf tracks",
    "the canteen",
    "knots",
    "customs forms",
    "trail maps",
    "avalanche courses",
    "second-hand gear",
    "compost",
)
_EVENTS = (
    "the summer party",
    "a team day",
    "the spring sale",
    "our fair in {m}",
    "a talk for interns",
    "the board meeting",
)
_WHO = ("a ten-year-old", "our landlord", "a new colleague", "the works council", "an impatient customer", "my mother")
_TONES = ("friendly", "formal", "funny", "very brief", "poetic")
SYSTEM = "You are a helpful assistant."


def example(random: Random) -> tuple[str, str]:
    """A question and an answer in a few sentences, never twice alike."""
    topic, other = random.sample(_TOPICS, 2)
    event = random.choice(_EVENTS).format(m=random.choice(("May", "June", "October")))
    who, tone = random.choice(_WHO), random.choice(_TONES)
    ask = random.choice(_ASKS).format(topic=topic, other=other, event=event, who=who, tone=tone)
    lines = [f"Think of {one} first." for one in random.sample(_TOPICS, random.randint(1, 3))]
    lines += [f"For {who}, {topic} matters less than {other}.", f"Keep {event} in mind and stay {tone}."]
    random.shuffle(lines)
    return ask, " ".join(lines)
