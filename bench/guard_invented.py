"""Personal data of a source of its own: invented by Faker for 26 locales, in sentences that no detector was fitted to.

A value counts as found where findings cover half of it or more. What is found in texts without values is not measured
here: see the negatives of `pii_*`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freehold.guard.detectors.pii import pii
from freehold.guard.types import Piece

LOCALES = (
    "bg_BG", "cs_CZ", "da_DK", "de_DE", "el_GR", "en_AU", "en_CA", "en_GB", "en_IN", "en_US", "es_ES", "es_MX", "fi_FI",
    "fr_FR", "hu_HU", "it_IT", "ja_JP", "ko_KR", "nl_NL", "no_NO", "pl_PL", "pt_BR", "ro_RO", "sv_SE", "tr_TR", "zh_CN",
)  # fmt: skip
SENTENCES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("phone", ("If urgent, ring {} before noon.", "Mobile no. {}", "my new number: {}", "Kontakt telefon {}")),
    ("identity", ("Tax ID {} on file.", "her national identity number, {}", "ID no. {}", "personal number: {}")),
    ("card", ("Charge {} (valid thru 09/28).", "the card ending soon is {}", "VISA {}", "credit card: {}")),
    ("iban", ("Refund to IBAN {}.", "wire it to {}", "{} is the account")),
    ("mail", ("cc {} on this", "login={}", "({})")),
    ("address", ("peer {} timed out", "ssh root@{}", "[{}]")),
    ("birthday", ("d.o.b. {}", "she was born {} in Rome", "birthdate={}")),
)
STRUCTURED = ("phone", "identity", "card", "iban", "mail", "address", "birthday")
_DAYS = ("%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y")


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Recall by kind, and over all structured kinds."""
    try:
        from faker import Faker
    except ImportError:
        print("faker is not installed")
        return {"pii_invented_recall": None}
    detector, draw = pii(), random.Random(11)
    made: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for locale in LOCALES:
        source = Faker(locale)
        source.seed_instance(11)
        for _ in range(30):
            for kind, value in _values(source, draw):
                sentence = draw.choice(dict(SENTENCES)[kind])
                text, start = sentence.format(value), sentence.index("{}")
                covered: set[int] = set()
                for one in detector.find(Piece(text)):
                    if one.score >= 0.5:
                        covered |= set(range(max(one.start, start), min(one.end, start + len(value))))
                made[kind] += 1
                hit[kind] += len(covered) * 2 >= len(value)
    for kind in STRUCTURED:
        print(f"{kind:<12}{made[kind]:>6}{hit[kind] / made[kind]:>8.3f}")
    return {"pii_invented_recall": sum(hit.values()) / sum(made.values())}


def _values(source: Any, draw: random.Random) -> list[tuple[str, str]]:
    makers: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("phone", source.phone_number),
        ("identity", getattr(source, "ssn", lambda: "")),
        ("card", source.credit_card_number),
        ("iban", source.iban),
        ("mail", source.email),
        ("address", draw.choice((source.ipv4_public, source.ipv6))),
        ("birthday", lambda: source.date_of_birth().strftime(draw.choice(_DAYS))),
    )
    return [(kind, str(value)) for kind, make in makers if (value := make())]
