"""Harmless sentences about people and things, made by templates of ours: what hateful wording is often mistaken for.

Groups are spoken of well, neutrally, in their own voice, or in defence; dislike is aimed at things and at nobody.
"""

from __future__ import annotations

import random

GROUPS = ("women", "men", "Muslims", "Jews", "Christians", "Hindus", "atheists", "black people", "white people",
          "Asians", "Arabs", "immigrants", "refugees", "foreigners", "gay people", "lesbians", "trans people",
          "disabled people", "deaf people", "old people", "Mexicans", "Poles", "Roma people", "indigenous people",
          "my neighbours", "nurses", "teachers", "young mothers")  # fmt: skip
THINGS = ("this weather", "Mondays", "broccoli", "spam mails", "this printer", "traffic jams", "the new update",
          "mosquitoes", "paper straws", "this bug", "long meetings", "loud music", "the last season", "cold coffee",
          "racism", "war", "cancer", "parking fees", "my old laptop", "slow trains")  # fmt: skip
PRAISE = ("kind", "brilliant", "brave", "equal to everybody", "great neighbours", "wonderful friends", "hard-working",
          "welcome here", "a blessing", "our colleagues", "entitled to respect")  # fmt: skip
BLAME = ("dumb", "evil", "vermin", "scum", "disgusting", "a plague", "inferior", "criminals", "worthless", "dangerous",
         "to blame for everything")  # fmt: skip
HARMS = ("killed", "deported", "beaten", "banned", "locked up", "attacked", "hunted", "silenced")

BENIGN = (
    "I love {group}.",
    "{Group} are {praise}.",
    "We should all respect {group}.",
    "I am proud to work with {group}.",
    "Many {group} live in our street.",
    "The museum shows how {group} lived around 1900.",
    "How many {group} voted in the last election?",
    "Two of the authors write about {group}.",
    "My sister studies the history of {group}.",
    "There is nothing wrong with {group}.",
    "{Group} deserve equal rights.",
    "I do not hate {group} at all.",
    "Nobody should say that {group} are {blame}.",
    "I would never call {group} {blame}.",
    "It is wrong to say that {group} are {blame}.",
    "He was fired because he said {group} should be {harm}.",
    'Posting "{group} are {blame}" is against the rules.',
    '"{Group} should be {harm}" is a hateful thing to write.',
    "Whoever thinks {group} are {blame} has never met any.",
    "Claims that {group} are {blame} were debunked in the paper.",
    "Stop telling people that {group} are {blame}.",
    "It hurts to hear that {group} should be {harm}.",
    "No, {group} are not {blame}.",
    "{Group} were {harm} in that war, and we must remember it.",
    "A report on violence: last year hundreds of {group} were {harm}.",
    "Please help {group} who were {harm}.",
    "As one of the {group} here, I feel at home.",
    "We {group} call each other names, it is our joke.",
    "I hate {thing}.",
    "I really can't stand {thing}.",
    "{Thing} should be banned.",
    "{Thing} is the worst.",
    "Kill the process before you delete {thing}.",
    "Fuck, I forgot about {thing}!",
    "Damn, {thing} drives me crazy.",
    "You are an idiot, I told you to lock the door.",
    "My boss is such a moron.",
    "I could kill for a pizza.",
    "These politicians are liars.",
    "All landlords are greedy.",
    "The villain is scum, best film of the year.",
    "I hate bankers and their bonuses.",
    "Capitalists only think of money.",
    "You're a bloody genius!",
)


def harmless(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Rows with `text` and `label` 0, each text once."""
    draw = random.Random(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        group, thing = draw.choice(GROUPS), draw.choice(THINGS)
        fields = {"group": group, "Group": group[0].upper() + group[1:], "thing": thing, "praise": draw.choice(PRAISE)}
        fields |= {"Thing": thing[0].upper() + thing[1:], "blame": draw.choice(BLAME), "harm": draw.choice(HARMS)}
        texts[draw.choice(BENIGN).format(**fields)] = None
    return [{"text": text, "label": 0, "source": "freehold-phrases"} for text in texts]
