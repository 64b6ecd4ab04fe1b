"""Varied wording: slots filled, openings and closings added, slips of the finger. The same Random, the same text."""

from __future__ import annotations

from random import Random

ITEMS = (
    "tent",
    "rain jacket",
    "sleeping bag",
    "hiking boots",
    "camping stove",
    "head torch",
    "backpack",
    "trekking poles",
    "water filter",
    "folding chair",
    "thermos",
    "hammock",
    "climbing rope",
    "fleece",
    "wool socks",
    "dry bag",
)
PLACES = ("Lisbon", "Graz", "Tampere", "Leeds", "Ghent", "Porto", "Bergen", "Lublin", "Cork", "Trieste", "Aarhus")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "last week", "yesterday", "this weekend")
OPENINGS = (
    "",
    "",
    "",
    "Hi, ",
    "Hello there, ",
    "Good morning, ",
    "Hey, ",
    "Dear team, ",
    "Quick question: ",
    "Sorry to bother you, ",
    "Second time I write: ",
    "Urgent! ",
)
CLOSINGS = (
    "",
    "",
    "",
    ".",
    ".",
    "?",
    "??",
    " thanks",
    ". Thank you!",
    ", please help",
    ". I have been a customer for years.",
    ". Kind regards",
    ", this is really annoying",
    ". My dog ate the paperwork, in case you ask.",
    ". By the way, the {item} from last time is great.",
)
_SLIP_SHARE = 0.25


def say(random: Random, core: str) -> str:
    """One message around a core sentence."""
    text = fill(random, random.choice(OPENINGS) + core + random.choice(CLOSINGS))
    if random.random() < _SLIP_SHARE:
        text = _slip(random, text)
    return text[0].upper() + text[1:] if random.random() < 0.6 else text


def fill(random: Random, text: str) -> str:
    """The slots of a sentence filled in."""
    return text.format(
        item=random.choice(ITEMS),
        place=random.choice(PLACES),
        day=random.choice(DAYS),
        number=random.randint(100_000, 999_999),
        code=f"{random.choice(('TRAIL', 'PEAK', 'CAMP', 'SUMMIT'))}{random.randint(5, 30)}",
    )


def _slip(random: Random, text: str) -> str:
    """One or two letters dropped, doubled or swapped."""
    letters = list(text)
    for _ in range(random.randint(1, 2)):
        at = random.randrange(1, max(len(letters) - 1, 2))
        kind = random.randrange(3)
        if kind == 0:
            letters[at : at + 1] = []
        elif kind == 1:
            letters.insert(at, letters[at])
        else:
            letters[at - 1 : at + 1] = reversed(letters[at - 1 : at + 1])
    return "".join(letters)
