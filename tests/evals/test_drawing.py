"""Scorecards as people see them."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from rich.console import Console

from freehold.evals.drawing import page, sentence, terminal
from freehold.evals.scorecards import About, Pair, scorecard
from tests.evals.conftest import START, number_of

EVIL = '<script>alert("x")</script>'


def card(right=0.9, target="mine", **about):
    found = [
        Pair(
            record=number_of(n),
            at=START + n,
            candidate=float(n % 10 >= 10 * (1 - right)),
            incumbent=1.0,
            app=EVIL if n % 2 else "shop & co",
            error="timeout" if n == 0 else "",
        )
        for n in range(120)
    ]
    return scorecard(About(workflow=EVIL, target=target, grader="label", at=START, **about), found, {EVIL: 2})


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []
        self.loads = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.loads += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action") or name.startswith("on")
        ]


def test_the_page_loads_and_runs_nothing_and_escapes_what_traffic_says():
    text = page(card())
    tags = Tags()
    tags.feed(text)
    assert "script" not in tags.seen
    assert tags.loads == []
    assert EVIL not in text
    assert "&lt;script&gt;" in text
    assert "shop &amp; co" in text
    assert "default-src 'none'" in text


def test_the_chart_is_drawn_and_its_numbers_stand_in_a_table_beside_it():
    text = page(card())
    chart = text[text.index("<svg") : text.index("</svg>") + 6]
    root = ET.fromstring(chart)
    assert root.get("role") == "img"
    assert len([one for one in root if one.tag == "circle"]) == 3
    assert "<tr><th scope=row>all calls</th><td class=n>120</td><td class=n>-10.0</td>" in text


def test_the_sentence_says_what_is_known_and_no_more():
    assert "worse than the incumbent" in sentence(card(0.5))
    assert "not told apart" in sentence(card(1.0))
    assert "what people said is right" in sentence(card(1.0, reference="annotations"))
    empty = scorecard(About(workflow="w", target="mine", grader="label"), [])
    assert "nothing can be said" in sentence(empty)
    assert "mine" in page(empty)


def test_the_terminal_shows_the_same_numbers():
    out = io.StringIO()
    Console(file=out, width=140, color_system=None).print(terminal(card(0.5, target="[red]mine[/red]")))
    text = out.getvalue()
    assert "[red]mine[/red]" in text
    assert "50.0%" in text
    assert "1 calls failed at the candidate (timeout)" in text
