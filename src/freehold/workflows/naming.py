"""Readable names for workflows out of what their prompts and answers say: `classify-customer-message`. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from freehold.gateway.prompt import Prompt
from freehold.gateway.shingles import WORDS_A_GRAM, gram_hashes, masked_words, user_words, words
from freehold.workflows.types import Shape

MOST_WORDS = 4
_LONGEST = 40
_VERBS = (
    ("label", "classify"),
    ("json", "extract"),
    ("tool", "call"),
    ("number", "score"),
    ("short", "answer"),
    ("text", "write"),
)
_STOPPED = (
    "a about above according act after all also always an and any are as ask asks assistant at based be below brief "
    "but by can careful clear concise could do does each exactly expert final following for friendly from give given "
    "have helpful here how i if in into is it its just keep kind kindly like list make may me more must my name never "
    "no not of on one only or other our out output please polite provide question read reply respond response return "
    "say says short should so some system task text that the their them then there these they this to use user using "
    "was we what when which who will with without words would you your answer answers word write field fields exactly "
    "der die das und ein eine du ist les des une est que los las del con por para una"
)
_EMPTY = frozenset(_STOPPED.split(" "))
_DOING = (
    "classify", "extract", "translate", "summarise", "summarize", "rewrite", "route", "label", "score", "rank", "tag",
    "detect", "convert", "generate", "explain", "review", "draft", "compare", "plan", "match", "moderate", "solve",
)  # fmt: skip


def name_of(prompts: Sequence[Prompt], template: Collection[int], shape: Shape, *, chat: bool) -> str:
    """A slug; the same for the same sample in whatever order. Unspaced scripts give no words: then by the shape."""
    if chat:
        return "exploratory-chat"
    verb = dict(_VERBS).get(shape.kind, "handle")
    counted: Counter[str] = Counter()
    first: dict[str, int] = {}
    for one in prompts:
        said = template_words(one, template)
        for place, word in enumerate(said):
            first[word] = min(place, first.get(word, place))
        counted.update(set(said))
    often = [word for word, held in counted.items() if 2 * held >= len(prompts)]
    doing = [word for word in sorted(often, key=lambda word: (first[word], word)) if word in _DOING]
    verb = doing[0] if doing else verb
    telling = [word for word in often if _tells(word) and word[:5] != verb[:5] and word not in _DOING]
    telling.sort(key=lambda word: (first[word], word))
    if shape.kind in ("json", "tool") and not doing:
        named = [part for name in shape.names for part in re.findall(r"[a-z]+", name.lower())]
        telling = list(dict.fromkeys(named)) or telling or ["tools"]
    return "-".join([verb, *telling[: MOST_WORDS - 1]])[:_LONGEST].strip("-")


def _tells(word: str) -> bool:
    return word.isascii() and word.isalpha() and 3 <= len(word) <= 14 and word not in _EMPTY


def template_words(prompt: Prompt, template: Collection[int]) -> list[str]:
    """The words of a prompt that its template's grams cover, but for those beside numbers: they label what changes."""
    found: list[str] = []
    parts = [(words(prompt.system, 60), True)]
    parts += [(one[:60], False) for one in user_words(prompt.first, prompt.last)]
    for part, system in parts:
        seen = masked_words(part)
        covered = [False] * len(seen)
        for place, gram in enumerate(gram_hashes(part, system=system).tolist()):
            if gram in template:
                covered[place : place + WORDS_A_GRAM] = [True] * len(covered[place : place + WORDS_A_GRAM])
        beside = [False, *(word == "0" for word in seen), False]
        found += [
            word
            for place, (word, held) in enumerate(zip(seen, covered, strict=True))
            if held and not beside[place] and not beside[place + 2]
        ]
    return found


def unique(name: str, taken: Collection[str]) -> str:
    """The name, or the name with the first number that is free."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
